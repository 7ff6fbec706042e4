// Tries from threads what network.js tries from the first: by Node's modules
// with and without the platform's own beginning, and past them.
async function attack(f) {
  const { Worker } = require('node:worker_threads');
  const inside = async (f) => {
    const hosts = ['127.0.0.1', 'localhost', '::1', '0.0.0.0', '::ffff:127.0.0.1', '2130706433', '0x7f000001', f.address];
    for (const host of hosts) {
      await no(host, () => dial(f.port, host));
      await no('bait on ' + host, () => dial(f.bait, host));
    }
    for (const host of ['169.254.169.254', '10.0.0.1', '8.8.8.8']) await no(host, () => dial(80, host));
    await no('fetch', async () => { await fetch(`http://127.0.0.1:${f.port}/readyz`, { signal: AbortSignal.timeout(2000) }); });
    await no('unix socket', () => dial(f.socket));
    await no('abstract socket', () => dial('\0' + f.abstract));
    await no('past the modules', () => new Promise((ok, failed) => {
      const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
      const request = new TCPConnectWrap();
      request.oncomplete = (status) => (status === 0 ? ok() : failed(new Error(String(status))));
      const code = new TCP(constants.SOCKET).connect(request, '127.0.0.1', () => f.port);
      if (code !== 0) failed(new Error(String(code)));
    }));
  };
  const code = `const net = require('node:net'), fs = require('node:fs'); const { workerData: { f, deeper }, parentPort, Worker } = require('node:worker_threads');
    const breaches = []; const breach = (what) => { breaches.push(what); }; const no = ${no}; const dial = ${dial};
    (async () => {
      await (${inside})(f);
      if (deeper) await new Promise((next) => new Worker(deeper, { eval: true, workerData: { f } }).on('message', (m) => breaches.push(...m.map((b) => 'deeper: ' + b))).on('error', next).on('exit', next));
    })().finally(() => parentPort.postMessage(breaches));`;
  for (const [name, options] of Object.entries({ plain: {}, 'without options': { execArgv: [] }, 'own options': { execArgv: ['--expose-internals'], env: { NODE_OPTIONS: '' } } })) {
    await new Promise((next) => {
      try {
        new Worker(code, { eval: true, workerData: { f, deeper: name === 'plain' ? code : undefined }, ...options })
          .on('message', (m) => m.forEach((b) => breach(name + ': ' + b))).on('error', next).on('exit', next);
      } catch { next(); }
    });
  }
}
