// Looks through its own heap for what an invocation before it was given.
let n = 0;
async function attack({ marker, reversed }) {
  if (n++ === 0) return 'given ' + marker.length;
  const wanted = reversed.split('').reverse().join('');
  let tail = '', found = 0;
  for await (const chunk of require('node:v8').getHeapSnapshot()) {
    const text = tail + chunk.toString('latin1');
    if (text.includes(wanted.slice(0, 20))) found++;
    tail = text.slice(-64);
  }
  // Once is this function's own wanted, or its beginning.
  if (found > 1) breach('a payload of before is in memory ' + found + ' times');
}
