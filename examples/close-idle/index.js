// Closes a conversation when the consumer has stopped answering, and says so.
// Silence of an agent or in the queue is not the consumer's fault: nothing then.

async function lambda(input) {
  const { general = {}, idle = {} } = input.payload;
  if (general.cbotEventType !== "CONSUMER_NON_RESPONSIVE") return [];

  const { time, timeUnits } = idle.consumerNonResponsive ?? {};
  const since = time ? `for ${time} ${timeUnits}` : "for a while";
  return [
    { type: "systemMessage", text: `We have not heard from you ${since} and close this conversation. Just write to open it again.` },
    { type: "closeConversation" },
  ];
}
