'use strict';
// Drives the decoder of runtime/node/frames.cjs with the pieces that
// node_test.go sends, and tells what it made of them. In place of the socket
// there is this script, so that the pieces arrive as they were cut; they come in
// one buffer that is used again, as Node hands it out.
//
// Each case is, on descriptor 0, u32 the number of pieces, their lengths as u32,
// and their bytes. The answer is a line: the frames as type:id:length:digest,
// then "more", or "exit" with the code that the process would have ended with.

const net = require('node:net');
const fs = require('node:fs');
const crypto = require('node:crypto');

class Ended extends Error {}
let code = 0;
process.exit = (c) => { code = c; throw new Ended(); };
let onData;
net.Socket = class {
  constructor({ onread }) { onData = onread.callback; }
  on() {}
  resume() {}
};
const { receive } = require(process.argv[2]);

const input = fs.readFileSync(0);
const shared = Buffer.alloc(64 << 10);
let at = 0;
const u32 = () => { at += 4; return input.readUInt32LE(at - 4); };
const lines = [];
while (at < input.length) {
  const sizes = Array.from({ length: u32() }, u32);
  const frames = [];
  receive((type, id, buf, start, end) => {
    if (start > end || end > buf.length) throw new Error(`a frame from ${start} to ${end} of ${buf.length}`);
    frames.push(`${type}:${id}:${end - start}:${crypto.createHash('sha256').update(buf.subarray(start, end)).digest('hex').slice(0, 16)}`);
  });
  let verdict = 'more';
  const end = at + sizes.reduce((a, b) => a + b, 0);
  try {
    for (const size of sizes) {
      input.copy(shared, 0, at, at + size);
      at += size;
      onData(size, shared);
      shared.fill(0xa5, 0, size);
    }
  } catch (e) {
    if (!(e instanceof Ended)) throw e;
    verdict = `exit ${code}`;
  }
  at = end;
  lines.push([...frames, verdict].join(' '));
}
fs.writeSync(1, lines.join('\n') + '\n');
