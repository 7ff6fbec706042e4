// Calls what is below Node's modules. That may well end its own process.
async function attack() {
  for (const name of ['spawn_sync', 'process_wrap', 'fs', 'tcp_wrap', 'pipe_wrap', 'contextify']) {
    let binding;
    try { binding = process.binding(name); } catch { continue; }
    for (const f of Object.values(binding)) {
      if (typeof f !== 'function') continue;
      for (const how of [() => f({ file: '/bin/sh', args: ['sh'] }), () => new f(0), () => new f(0).spawn({ file: '/bin/sh', args: ['sh'] })]) {
        try { if (how()?.pid > 0) breach(name); } catch { }
      }
    }
  }
}
