// Sends a conversation to the team that its first words ask for. Written for
// the older contract: CommonJS, and the answer goes to a callback.

const teams = [
  { skill: "billing", words: ["invoice", "refund", "charge", "bill"] },
  { skill: "shipping", words: ["parcel", "delivery", "tracking", "order"] },
  { skill: "technical", words: ["error", "broken", "password", "login"] },
];

function lambda(input, callback) {
  const said = String(input.payload.message || "").toLowerCase();
  const team = teams.find(({ words }) => words.some((word) => said.includes(word)));

  if (!team) {
    callback(null, { messages: ["Is it about an invoice, a delivery or a technical problem?"], context: {} });
    return;
  }
  callback(null, {
    messages: ["One moment, I am getting a colleague."],
    context: { action: "TRANSFER", actionParameters: { skill: team.skill } },
  });
}
