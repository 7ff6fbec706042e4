// Asks for a transcript mail when a chat was rated badly. The chat service
// sends the mails that are returned. Written for the older contract.

function lambda(input, callback) {
  const { csatRank, skillName, agentName, questionWithAnswers = [] } = input.payload;

  // A rank that is not above -1 means that the question was not answered.
  const rated = csatRank > -1;
  const unsolved = questionWithAnswers.some(({ answer }) => answer.split(";").includes("No"));
  if (!(rated && csatRank <= 2) && !unsolved) {
    callback(null, []);
    return;
  }
  callback(null, [
    {
      targetEmail: process.env.QUALITY_ADDRESS,
      senderName: "Survey",
      senderEmail: "noreply@example.com",
      subject: `${skillName}: ${rated ? `rated ${csatRank} of 5` : "not solved"} (${agentName})`,
    },
  ]);
}
