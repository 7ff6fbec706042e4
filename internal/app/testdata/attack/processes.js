// A shell, other programs, a fork bomb, signals, tracing, native code.
async function attack(f) {
  const cp = require('node:child_process');
  for (const file of ['/bin/sh', '/bin/busybox', '/usr/bin/env', process.execPath, process.argv[1]]) {
    for (const options of [{}, { shell: true }, { detached: true }, { uid: 0 }]) if (cp.spawnSync(file, [], options).pid) breach('spawned ' + file);
  }
  await no('exec', () => cp.execSync('id'));
  await no('a fork', () => new Promise((ok, failed) => cp.fork(process.argv[1]).on('error', failed).on('spawn', ok)));
  for (let i = 0; i < 200; i++) { try { if (cp.spawn(process.execPath).on('error', () => {}).pid) breach('fork bomb, process ' + i); } catch { } }
  for (const pid of [f.server, -f.server, -1, 2, f.victim, -f.victim]) await no('signal to ' + pid, () => process.kill(pid, pid === f.victim ? 'SIGTERM' : 0));
  for (const pid of [f.server, f.victim]) await no('tracing ' + pid, () => process._debugProcess(pid));
  await no('priority of the server', () => os.setPriority(f.server, os.getPriority(f.server)));
  await no('own priority', () => os.setPriority(0, -5));
  await no('another user', () => process.setuid(0));
  await no('an inspector', () => { const i = require('node:inspector'); i.open(0, '0.0.0.0'); if (i.url() === undefined) throw new Error('closed'); return dial(Number(new URL(i.url()).port), f.address); });
  for (const file of [f.library, '/tmp/addon.node']) {
    await no('native code from ' + file, () => {
      if (file.startsWith('/tmp')) fs.writeFileSync(file, fs.readFileSync(f.library));
      try { process.dlopen({ exports: {} }, file); } catch (e) { if (file.startsWith('/tmp') && /self-register/.test(e.message)) return; throw e; }
    });
  }
}
