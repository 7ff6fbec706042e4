// Replaces what the platform's code may be using. This invocation and the
// next one of this instance may come to grief; nobody else's may.
function attack() {
  const bad = () => { throw new Error('overridden'); };
  for (const o of [JSON, Promise, Promise.prototype, Buffer, Buffer.prototype, Reflect, Atomics, fs, net, net.Socket.prototype, Function.prototype, Array.prototype, Map.prototype, String.prototype,
    Uint8Array.prototype, Object.getPrototypeOf(Uint8Array.prototype), require('node:events').prototype, require('node:async_hooks').AsyncLocalStorage.prototype]) {
    for (const name of Object.getOwnPropertyNames(o)) {
      if (name === 'constructor' || name === 'prototype') continue;
      try { Object.defineProperty(o, name, { configurable: true, get: () => bad, set: () => {} }); } catch { }
    }
  }
  for (const name of ['then', 'toJSON', 'payload', 'headers', 'type', 'id', 'length', 'kind', 'lambda', 'limits']) {
    try { Object.prototype.__defineGetter__(name, bad); } catch { }
  }
  for (const name of Object.getOwnPropertyNames(process)) { try { process[name] = bad; } catch { } }
  for (const name of ['JSON', 'Promise', 'Buffer', 'process', 'console', 'queueMicrotask', 'performance', 'Error', 'Date', 'Math']) { try { globalThis[name] = undefined; } catch { } }
  return 'overridden';
}
