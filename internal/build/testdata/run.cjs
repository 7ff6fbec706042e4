'use strict';
// Runs bundles in the worker's own loader. Standard input is a JSON array of
// { format, code, map, input }; the answer is an array of { result } or { error, place }.
const runtime = process.argv[2];
const { load } = require(`${runtime}/loader.cjs`);
const stack = require(`${runtime}/stack.cjs`);

async function run({ format, code, map, contract, input }) {
  stack.setSourceMap(Buffer.from(map));
  try {
    const { lambda } = await load(format, code, Buffer.alloc(0));
    if (lambda === undefined) throw new Error('no lambda');
    if (contract === 'v2') return { result: await lambda(input) };
    return { result: await new Promise((resolve, reject) => lambda(input, (e, r) => (e ? reject(e) : resolve(r)))) };
  } catch (error) {
    return { error: error.message, place: stack.place(error.stack) };
  }
}

Error.prepareStackTrace = stack.prepare;
(async () => {
  const bundles = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
  const answers = [];
  for (const b of bundles) answers.push(await run(b));
  process.stdout.write(JSON.stringify(answers));
})();
