// A small bot: it welcomes, answers about orders, and hands over to a person.

const order = /\b[A-Z]-\d{4,6}\b/i;

async function lambda(input) {
  const { message = "", event, context = {} } = input.payload;

  if (event?.name === "WELCOME") {
    return reply("welcome", 1, ["Hi, I am the order bot.", "Tell me the number of your order."]);
  }
  const number = message.match(order)?.[0]?.toUpperCase();
  if (number) {
    return reply("order-status", 0.95, [
      { delay: 1, typing: true },
      `Order ${number} is on its way.`,
      { structuredContent: question("Anything else?", ["Yes", "No, thanks"]), metadata: [] },
    ]);
  }
  if (/^no\b/i.test(message.trim())) {
    return reply("goodbye", 0.9, ["Goodbye!"], { action: "CLOSE_CONVERSATION" });
  }

  const customer = context.lpSdes?.authenticatedSdes?.customerInfo?.customerInfo?.customerId;
  return reply("unknown", 0.2, [
    "I will get you a person.",
    { text: `The bot did not understand. Customer: ${customer ?? "unknown"}`, messageAudience: "AGENTS_AND_MANAGERS" },
  ], { action: "TRANSFER", actionParameters: { skill: "humans" } });
}

function reply(intentId, confidenceScore, messages, action = {}) {
  return { messages, context: { intentId, confidenceScore, ...action } };
}

function question(message, answers) {
  const replies = answers.map((title) => ({
    type: "button",
    title,
    tooltip: title,
    click: { actions: [{ type: "publishText", text: title }] },
  }));
  return { message, quickReplies: { type: "quickReplies", itemsPerRow: 2, replies } };
}
