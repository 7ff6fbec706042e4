// Those of Node, of the platform and of the function.
const own = new Set(['TZ', 'LANG', 'HOME', 'TMPDIR', 'NODE_ENV', 'BRAND_ID', 'LAMBDA_UUID', 'X_LIVEPERSON_BRAND_ID', 'X_LIVEPERSON_CSDS_DOMAIN',
  'X_LIVEPERSON_FUNCTION_UUID', 'X_LIVEPERSON_PROJECT_ID', 'OWN']);

async function attack(f) {
  for (const file of [f.database, f.database + '-wal', f.secret, '/etc/shadow', '/etc/hostname', '/root/.profile', '/proc/version', '/proc/kallsyms', '/dev/mem', '/dev/kmsg']) {
    await no(file, () => fs.readFileSync(file));
  }
  for (const folder of [f.data, '/home', '/root', '/var', '/sys', '/run', '/boot']) await no(folder, () => fs.readdirSync(folder));
  for (const link of ['/proc/self/root', '/proc/self/cwd', '/proc/1/root', '/proc/' + f.server + '/root']) await no(link, () => fs.readFileSync(link + f.secret));
  await no('..', () => fs.readFileSync('../../../../../../../..' + f.secret));
  for (const pid of [f.server, process.ppid, process.pid + 1, 2]) {
    for (const name of ['environ', 'mem', 'maps', 'cmdline', 'fd']) {
      if (pid !== process.pid) await no(pid + '/' + name, () => { const p = '/proc/' + pid + '/' + name; fs.statSync(p).isDirectory() ? fs.readdirSync(p) : fs.readFileSync(p); });
    }
  }
  if (JSON.stringify(process.env).includes('only-the-neighbour')) breach('the secret of another account');
  for (const name of Object.keys(process.env)) if (!own.has(name)) breach('variable ' + name);
  if (process.argv.concat(process.execArgv).join().includes(f.data) && f.level === 'namespaces') breach('paths of the host');
}
