async function attack(f) {
  for (const folder of ['/', '/etc', '/dev', '/dev/shm', '/proc', '/bin', '/runtime', '/lib', '/var/tmp', '/usr', f.data, f.data + '/runtime', path.dirname(process.execPath), path.dirname(process.argv[1])]) {
    await no('write to ' + folder, () => { fs.writeFileSync(folder + '/attack', 'x'); fs.unlinkSync(folder + '/attack'); });
    await no('make a folder in ' + folder, () => { fs.mkdirSync(folder + '/attack'); fs.rmdirSync(folder + '/attack'); });
  }
  for (const file of [process.argv[1], process.execPath, '/etc/passwd', f.secret, f.database]) {
    await no('append to ' + file, () => fs.appendFileSync(file, ''));
    await no('mode of ' + file, () => fs.chmodSync(file, fs.statSync(file).mode));
  }
}
