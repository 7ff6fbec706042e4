// Greets a consumer who opens a conversation, in the language of their device.

const greetings = {
  de: "Hallo! Wie können wir helfen?",
  en: "Hello! How can we help?",
  es: "¡Hola! ¿En qué podemos ayudarle?",
  fr: "Bonjour ! Comment pouvons-nous vous aider ?",
};

async function lambda(input) {
  const { general = {}, start = {} } = input.payload;

  // "de-AT" and "de_AT" are both German; whatever we do not speak is English.
  const language = (general.clientLanguage ?? "en").slice(0, 2).toLowerCase();
  const text = greetings[language] ?? greetings.en;

  console.info("greeting", { convId: general.convId, language, first: start.firstConversation });
  return [{ type: "systemMessage", text }];
}
