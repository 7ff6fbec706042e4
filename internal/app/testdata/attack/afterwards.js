// Answers, and then computes for ever.
function attack() { setTimeout(() => { while (true); }, 1); }
