'use strict';
// Turns a bundle into the function to call. The bundle hands over a bare
// `lambda` by calling __convoke_lambda, which internal/build appends to it;
// otherwise it is looked for among the exports.

const vm = require('node:vm');
const { isBuiltin } = require('node:module');
const { BUNDLE } = require('./stack.cjs');

const HEAD = '(function (exports, require, module, __filename, __dirname, __convoke_lambda) {';
const { getBuiltinModule } = process;

function builtin(name) {
  if (typeof name === 'string' && isBuiltin(name)) return getBuiltinModule(name);
  const error = new Error(`Cannot find module '${name}': a function can load Node's own modules and what was bundled with it`);
  error.code = 'MODULE_NOT_FOUND';
  throw error;
}

const dynamic = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;

// load evaluates the bundle and returns { lambda, cache() }.
async function load(format, code, cachedData) {
  let bare;
  const take = (f) => { bare = f; };
  const options = { cachedData: cachedData.length > 0 ? cachedData : undefined };
  if (format === 'esm') return loadModule(code, options, take, () => bare);

  const script = new vm.Script(`${HEAD}${code}\n})`, { ...options, filename: BUNDLE, columnOffset: -HEAD.length, importModuleDynamically: dynamic });
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, builtin, module, BUNDLE, '/', take);
  return { lambda: find(bare, module.exports), cache: () => script.createCachedData() };
}

// loadModule evaluates an ES module with a top-level await, the one thing
// that the CommonJS form cannot express.
async function loadModule(code, options, take, bare) {
  const module = new vm.SourceTextModule(code, { ...options, identifier: BUNDLE, importModuleDynamically: builtinModule });
  const cache = module.createCachedData(); // only possible before the evaluation
  await module.link(builtinModule);
  Object.defineProperty(globalThis, '__convoke_lambda', { value: take, configurable: true });
  try {
    await module.evaluate();
  } finally {
    delete globalThis.__convoke_lambda;
  }
  return { lambda: find(bare(), module.namespace), cache: () => cache };
}

async function builtinModule(name) {
  const exports = builtin(name);
  const names = [...new Set(['default', ...Object.keys(exports)])];
  const module = new vm.SyntheticModule(names, function fill() {
    for (const n of names) this.setExport(n, n === 'default' ? exports : exports[n]);
  });
  await module.link(() => {});
  await module.evaluate();
  return module;
}

function find(bare, exports) {
  if (typeof bare === 'function') return bare;
  for (const candidate of [exports?.lambda, exports?.default?.lambda, exports?.default, exports]) {
    if (typeof candidate === 'function') return candidate;
  }
  return undefined;
}

module.exports = { load };
