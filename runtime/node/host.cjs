'use strict';
// What a sandbox hides of the machine, answered as for a small machine of the
// function's own: libraries ask for it while they load and do not expect
// that it throws (networkInterfaces, userInfo) or is empty (cpus).

const os = require('node:os');
const { syncBuiltinESMExports } = require('node:module');

const { networkInterfaces, cpus, availableParallelism, userInfo, homedir } = os;

os.networkInterfaces = () => {
  try {
    return networkInterfaces();
  } catch {
    const mac = '00:00:00:00:00:00';
    return { lo: [
      { address: '127.0.0.1', netmask: '255.0.0.0', family: 'IPv4', mac, internal: true, cidr: '127.0.0.1/8' },
      { address: '::1', netmask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', family: 'IPv6', mac, internal: true, cidr: '::1/128', scopeid: 0 },
    ] };
  }
};

os.cpus = () => {
  const known = cpus();
  if (known.length > 0) return known;
  return Array.from({ length: availableParallelism() }, () => (
    { model: 'unknown', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } }));
};

os.userInfo = (options) => {
  try {
    return userInfo(options);
  } catch {
    const text = (s) => (options?.encoding === 'buffer' ? Buffer.from(s) : s);
    return { uid: process.getuid(), gid: process.getgid(), username: text('function'), homedir: text(homedir()), shell: null };
  }
};

syncBuiltinESMExports();
