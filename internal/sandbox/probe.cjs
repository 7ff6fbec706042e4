'use strict';
// A worker that tries to break out. It prints a JSON list of what it could do
// and should not have been able to; the empty list is what is hoped for.

const fs = require('node:fs');
const net = require('node:net');
const dgram = require('node:dgram');
const os = require('node:os');
const { spawnSync } = require('node:child_process');

// server: its process id, port: on its 127.0.0.1, folder: one that is not the
// worker's, with a file named secret.
const { server, port, folder } = JSON.parse(process.argv[2]);
const done = [];

function attempt(what, how) {
  try {
    if (how() !== false) done.push(what);
  } catch { /* as it should be */ }
}

attempt('read a file of the host', () => fs.readFileSync(`${folder}/secret`));
attempt('list a folder of the host', () => fs.readdirSync(folder));
attempt("read the host's users", () => !fs.readFileSync('/etc/passwd', 'utf8').startsWith('function:') && undefined);
for (const dir of [folder, '/', '/etc', '/dev', '/var/tmp', __dirname]) {
  attempt(`write to ${dir}`, () => { fs.writeFileSync(`${dir}/convoke-probe`, 'x'); fs.unlinkSync(`${dir}/convoke-probe`); });
}
for (const name of ['environ', 'mem', 'maps', 'root/etc/passwd', 'cwd/.']) {
  attempt(`read ${name} of the server's process`, () => fs.statSync(`/proc/${server}/${name}`) && fs.openSync(`/proc/${server}/${name}`));
}
attempt('see other processes', () => fs.readdirSync('/proc').some((n) => /^\d+$/.test(n) && Number(n) !== process.pid));
attempt('signal the server', () => process.kill(server, 0));
attempt('signal process groups of others', () => process.kill(-server, 0));
attempt('change the priority of the server', () => os.setPriority(server, os.getPriority(server)));
attempt('start a program', () => spawnSync(process.execPath, ['--version']).error === undefined);
attempt('find variables that were not meant for it', () => Object.keys(process.env).some((n) => !['HOME', 'OPENSSL_CONF'].includes(n)));
attempt('use a descriptor of the server', () => {
  for (let fd = 3; fd < 64; fd++) {
    let target;
    try { target = fs.readlinkSync(`/proc/self/fd/${fd}`); } catch { continue; }
    if (target.startsWith('/') && !target.startsWith('/dev/') && !target.startsWith('/proc/') && !target.startsWith(__dirname)) return true;
  }
  return false;
});

const tries = ['127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '0.0.0.0'].map((host) => new Promise((resolve) => {
  const socket = net.connect({ host, port, timeout: 1000 });
  socket.on('connect', () => { done.push(`connect to the server at ${host}`); socket.destroy(); resolve(); });
  socket.on('error', resolve);
  socket.on('timeout', () => { socket.destroy(); resolve(); });
}));
tries.push(new Promise((resolve) => {
  const socket = dgram.createSocket('udp4');
  socket.on('error', resolve);
  // That it was sent says nothing; the server says whether it came.
  socket.send('breach', port, '127.0.0.1', () => { try { socket.close(); } catch { /* it was never open */ } resolve(); });
}));
Promise.all(tries).then(() => process.stdout.write(JSON.stringify(done)));
