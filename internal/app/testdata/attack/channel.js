// Does to a descriptor of the platform what it should not.
async function attack({ fd, how }) {
  if (how === 'close') fs.closeSync(fd);
  else if (how === 'read') fs.readSync(fd, Buffer.alloc(1 << 16));
  else for (let i = 0; i < 1000; i++) put(require('node:crypto').randomBytes(1 << 12), fd);
  return 'done';
}
