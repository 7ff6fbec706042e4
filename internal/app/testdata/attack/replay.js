// Answers twice at the very end, when its own call is over.
async function attack() {
  setTimeout(() => put(result(1, '"replayed"')), 5);
  return 'once';
}
