// Asks for lines of threads that it does not have, and misuses those it has:
// dials past Node's modules to what no function may reach, under numbers of its
// own, more than it may have, and frames of other kinds.
async function attack(f) {
  const { Worker } = require('node:worker_threads');
  const sockets = () => fs.readdirSync('/proc/self/fd').map(Number).filter((n) => { try { return n > 4 && fs.readlinkSync('/proc/self/fd/' + n).startsWith('socket'); } catch { return false; } });
  await new Promise((next) => new Worker('fetch("http://127.0.0.1:1").catch(() => {}).then(() => setInterval(() => {}, 1000))', { eval: true }).on('online', () => setTimeout(next, 200)));
  let id = 1e6;
  let lines = [];
  try { lines = sockets(); } catch { for (let fd = 5; fd < 64; fd++) lines.push(fd); }
  const all = (bytes) => { for (const fd of lines) try { fs.writeSync(fd, bytes); } catch { } };
  for (const host of ['127.0.0.1', 'localhost', '::1', '0.0.0.0', f.address, '169.254.169.254']) for (const port of [f.port, f.bait, 80]) all(dialFrame(id++, host, port));
  await new Promise((next) => setTimeout(next, 200));
  if (f.how === 'a flood') for (let i = 0; i < 1000; i++) all(dialFrame(id++, '10.255.255.1', 443, 1));
  if (f.how === 'lines') for (let i = 0; i < 200; i++) put(frame(28, id++));
  if (f.how === 'a result') all(result(1, '"forged"'));
  if (f.how === 'noise') all(require('node:crypto').randomBytes(1 << 12));
  await new Promise((next) => setTimeout(next, 200));
}
