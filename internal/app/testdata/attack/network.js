async function attack(f) {
  const hosts = ['127.0.0.1', 'localhost', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '2130706433', '0x7f000001', '017700000001', '127.1', '64:ff9b::7f00:1', f.address];
  for (const host of hosts) await no(host, () => dial(f.port, host));
  for (const host of hosts.slice(0, 7)) await no('bait on ' + host, () => dial(f.bait, host));
  for (const host of ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254', '10.0.0.1', '192.168.0.1', '8.8.8.8', '2606:4700:4700::1111']) await no(host, () => dial(80, host));
  const written = ['127.0.0.1', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '[::]', 'localhost', '127.0.0.1.', 'user@127.0.0.1'];
  for (const host of written) await no('fetch ' + host, async () => { await fetch(`http://${host}:${f.port}/readyz`, { signal: AbortSignal.timeout(2000) }); });
  await no('unix socket', () => dial(f.socket));
  await no('abstract socket', () => dial('\0' + f.abstract));
  const dgram = require('node:dgram'), dns = require('node:dns').promises;
  for (const host of ['127.0.0.1', f.address, '8.8.8.8', '224.0.0.251', '255.255.255.255']) {
    await new Promise((next) => { const s = dgram.createSocket('udp4'); s.on('error', next); s.send('breach', f.bait, host, () => { try { s.close(); } catch { } next(); }); });
  }
  await no('a resolver elsewhere', () => { const r = new dns.Resolver({ timeout: 500, tries: 1 }); r.setServers(['8.8.8.8']); return r.resolve4('example.com'); });
}
