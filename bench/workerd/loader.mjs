// One isolate per path, made of source text on the first request: what workerd
// offers to run many functions that were not in its configuration.
import worker from 'worker.txt';
import handler from 'handler.txt';

export default {
  fetch(request, env) {
    const id = new URL(request.url).pathname;
    const isolate = env.LOADER.get(id, () => ({
      compatibilityDate: '2026-11-01',
      mainModule: 'worker.mjs',
      // The comment makes each function's source its own, as deployed functions are.
      modules: { 'worker.mjs': { js: worker }, 'handler.mjs': { js: `${handler}\n// ${id}` } },
      globalOutbound: null,
    }));
    return isolate.getEntrypoint().fetch(request);
  },
};
