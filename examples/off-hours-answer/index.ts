// Tells a consumer who writes in off-hours when somebody will answer.
import { nextOpening } from "./hours.ts";

interface Input {
  payload: {
    general?: { convId?: string; serverTimestamp?: number; clientLanguage?: string };
    mid?: { openedInOffHours?: boolean };
  };
}

type Command =
  | { type: "systemMessage"; text: string }
  | { type: "transfer"; skillId?: string; agentId?: string }
  | { type: "closeConversation" };

async function lambda(input: Input): Promise<Command[]> {
  const { general = {}, mid = {} } = input.payload;

  // Whoever opened the conversation in off-hours has been told already.
  if (mid.openedInOffHours) return [];

  const now = new Date(general.serverTimestamp ?? Date.now());
  const opening = nextOpening(now).toLocaleString(general.clientLanguage ?? "en-US", {
    weekday: "long",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "UTC",
  });
  return [{ type: "systemMessage", text: `We are closed right now and will answer from ${opening} UTC.` }];
}
