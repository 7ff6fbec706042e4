// Asks the server for connections past Node's modules: to itself, to bait and
// to what no function may reach, and then for more than it may have at a time.
async function attack(f) {
  let id = 1e6;
  const hosts = ['127.0.0.1', 'localhost', '::1', '[::1]', '0.0.0.0', '::', '::ffff:127.0.0.1', '2130706433', '0x7f000001', '127.1', f.address, '169.254.169.254', 'metadata.google.internal'];
  for (const host of hosts) for (const port of [f.port, f.bait, 80]) for (const tls of [0, 1]) put(dialFrame(id++, host, port, tls));
  for (let i = 0; i < 20; i++) put(Buffer.concat(Array.from({ length: 200 }, () => dialFrame(id++, 'example.com', 443, 1))));
  await new Promise((next) => setTimeout(next, 200));
}
