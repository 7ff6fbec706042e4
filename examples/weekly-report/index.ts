// Sums up a week of conversations. It has no event: a schedule or another
// system calls it by its uuid, with the days in the payload.

interface Day {
  date: string;
  conversations: number;
  answeredSeconds: number[]; // seconds until the first answer
}

interface Report {
  conversations: number;
  busiest: string | null;
  medianAnswer: number | null;
  text: string;
}

async function lambda(input: { payload: { days?: Day[] } }): Promise<Report> {
  const days = input.payload.days ?? [];
  const conversations = days.reduce((sum, day) => sum + day.conversations, 0);
  const busiest = days.reduce<Day | null>((top, day) => (top && top.conversations >= day.conversations ? top : day), null);
  const medianAnswer = median(days.flatMap((day) => day.answeredSeconds));

  const text = busiest
    ? `${conversations} conversations, most of them on ${busiest.date}; half were answered within ${medianAnswer} s.`
    : "No conversations.";
  console.info(text);
  return { conversations, busiest: busiest?.date ?? null, medianAnswer, text };
}

function median(values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
