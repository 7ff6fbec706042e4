// Speaks the protocol itself, on the worker's own descriptor.
async function attack({ how }) {
  const forged = {
    'unknown type': () => frame(99, 0),
    'a frame of the server': () => frame(1, 0),
    'a length beyond all bounds': () => Buffer.from([255, 255, 255, 255, 19, 1, 0, 0, 0]),
    'noise': () => require('node:crypto').randomBytes(1 << 16),
    'an answer to no question': () => result(77, '"forged"'),
    'an answer to a later question': () => result(2, '"forged"'),
    'two answers': () => Buffer.concat([result(1, '"first"'), result(1, '"second"')]),
    'no JSON': () => result(1, '{'),
    'a short answer': () => frame(19, 1, Buffer.alloc(3)),
    'ready again': () => frame(16, 0),
    'loaded again': () => frame(17, 0, Buffer.concat([Buffer.from([27, 0, 0, 0]), Buffer.from('{"length":1,"node":"v1.2.3"}')])),
    'a pong that nobody asked for': () => frame(23, 0),
    'an invocation given back': () => frame(25, 1),
    'a damaged entry': () => frame(21, 1, Buffer.alloc(5)),
    'a flood of entries': () => Buffer.concat(Array.from({ length: 5000 }, (_, i) => entry(1, 'flood ' + i))),
    'a flood outside of invocations': () => Buffer.concat(Array.from({ length: 20000 }, (_, i) => entry(0, 'flood ' + i))),
    'a damaged dial': () => frame(26, 1, Buffer.alloc(3)),
    'two dials of one number': () => Buffer.concat([dialFrame(1, 'example.com', 80), dialFrame(1, 'example.com', 80)]),
    'a call over no connection': () => frame(27, 99, Buffer.alloc(27)),
    'a huge entry': () => entry(1, 'x'.repeat(20 << 20)),
  };
  put(forged[how]());
  return hang();
}
