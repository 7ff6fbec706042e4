function attack() {
  for (let i = 0; i < 1e5; i++) console.log('flood '.repeat(20), { i });
  for (let i = 0; i < 1000; i++) process.stdout.write('flood\n'.repeat(100));
  for (let i = 0; i < 1000; i++) process.stderr.write('flood '.repeat(1000) + '\n');
}
