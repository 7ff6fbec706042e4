async function attack(f) {
  const { Worker } = require('node:worker_threads');
  let running = 0;
  await Promise.all(Array.from({ length: 200 }, () => new Promise((next) => {
    try { new Worker('setInterval(() => {}, 1000)', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 4 } }).on('online', () => { running++; next(); }).on('error', next); } catch { next(); }
  })));
  if (running > 64) breach(running + ' threads');
}
