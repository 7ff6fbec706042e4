// Fills /tmp, where there is one, with bytes and with files.
async function attack() {
  let bytes = 0, files = 0;
  const block = Buffer.alloc(1 << 20);
  try { for (let i = 0; i < 256; i++) { fs.writeFileSync('/tmp/big' + i, block); bytes += block.length; } } catch { }
  try { for (let i = 0; i < 20000; i++) { fs.writeFileSync('/tmp/small' + i, ''); files++; } } catch { }
  await no('a file of 1 TB', () => fs.ftruncateSync(fs.openSync('/tmp/huge', 'w'), 1e12));
  if (bytes > 16 << 20) breach(bytes + ' bytes');
  if (files > 5000) breach(files + ' files');
}
