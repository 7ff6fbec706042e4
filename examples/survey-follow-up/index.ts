// Decides after a survey whether somebody should get back to the consumer. The
// survey bot ignores the answer; the log entry is what people look for.

interface Survey {
  conversationId: string;
  skillId?: string;
  closeReason?: "AGENT" | "CONSUMER" | "SYSTEM";
  firstConversation?: boolean;
  lastContentEventNotification?: { event?: { message?: string } };
}

interface FollowUp {
  followUp: boolean;
  reasons: string[];
}

const unhappy = /\b(bad|slow|useless|angry|disappointed|never again)\b/i;

async function lambda(input: { payload: Survey }): Promise<FollowUp> {
  const survey = input.payload;
  const said = survey.lastContentEventNotification?.event?.message ?? "";

  const reasons: string[] = [];
  if (unhappy.test(said)) reasons.push("unhappy words");
  if (survey.firstConversation && survey.closeReason === "SYSTEM") reasons.push("first conversation ended by time-out");

  if (reasons.length > 0) {
    console.warn("follow up", { conversation: survey.conversationId, skill: survey.skillId, reasons });
  }
  return { followUp: reasons.length > 0, reasons };
}
