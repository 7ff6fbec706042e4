async function attack() {
  const files = [];
  try { for (; files.length < 5000;) files.push(fs.openSync('/dev/null')); } catch (e) { if (e.code !== 'EMFILE') breach(e.code); }
  if (files.length > 256) breach(files.length + ' descriptors');
  for (const fd of files) fs.closeSync(fd);
  // Descriptors of the server that came along by mistake.
  for (let fd = 5; fd < 256; fd++) {
    let target = '';
    try { target = fs.readlinkSync('/proc/self/fd/' + fd); } catch { continue; }
    if (target.startsWith('/') && !/^\/(dev|proc|runtime|bin)\//.test(target)) breach(target);
  }
}
