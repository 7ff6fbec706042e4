'use strict';
// The console that functions see: five methods with extras as the reference
// has them (spec/platform.md 10), and every other console method as its
// nearest one, where the reference crashes the function.

const { inspect, types } = require('node:util');

const level = { debug: 0, info: 1, warn: 2, error: 3 };

const { stringify } = JSON;
const { isNativeError } = types;
const hrtime = process.hrtime.bigint;

// inspectOptions bound what one value can print.
const inspectOptions = { depth: 6, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 120 };

// show is a value as text; of an error its stack, and that of its causes: a
// failed fetch says why only there.
function show(value, depth = 0) {
  if (typeof value === 'string') return value;
  try {
    if (isNativeError(value)) {
      const text = value.stack || `${value.name}: ${value.message}`;
      return value.cause === undefined || depth === 3 ? text : `${text}\n  [cause]: ${show(value.cause, depth + 1)}`;
    }
    return inspect(value, inspectOptions);
  } catch {
    return '[a value that cannot be shown]';
  }
}

// plain lets JSON carry what it would drop or choke on.
function plain(key, value) {
  switch (typeof value) {
    case 'bigint': return `${value}n`;
    case 'function': return `[Function ${value.name || 'anonymous'}]`;
    case 'symbol': return value.toString();
    case 'undefined': return null;
    case 'object':
      if (value === null) return value;
      if (isNativeError(value)) return { ...value, name: value.name, message: value.message, stack: value.stack };
      if (types.isMap(value) || types.isSet(value)) return inspect(value, inspectOptions);
      return value;
    default: return value;
  }
}

function extrasOf(args) {
  if (args.length <= 1) return '[]';
  const rest = args.slice(1);
  try {
    return stringify(rest, plain);
  } catch { // a cycle, or a toJSON that throws: show those items as text
    return stringify(rest.map((v) => {
      try { return JSON.parse(stringify(v, plain) ?? 'null'); } catch { return show(v); }
    }));
  }
}

// makeConsole returns the console; write(level, message, extrasJSON) takes
// what it is given, traceId() is the current invocation's request id.
function makeConsole(write, traceId) {
  const at = (lvl) => (...args) => write(lvl, args.length === 0 ? '' : show(args[0]), extrasOf(args));
  const debug = at(level.debug);
  const info = at(level.info);
  const warn = at(level.warn);
  const error = at(level.error);

  const counts = new Map();
  const timers = new Map();
  const elapsed = (label) => `${label}: ${Number((hrtime() - timers.get(label)) / 1000n) / 1000}ms`;

  // An unknown method, now or in a later Node, is answered by info.
  const fallback = new Proxy(Object.prototype, {
    get: (target, name) => (typeof name === 'string' && !(name in target) ? info : target[name]),
  });

  return Object.assign(Object.create(fallback), {
    debug, info, log: info, warn, error,
    getTraceId: traceId,
    trace: (...args) => {
      const holder = {};
      Error.captureStackTrace(holder, console.trace);
      write(level.debug, `Trace: ${args.map((v) => show(v)).join(' ')}\n${String(holder.stack).split('\n').slice(1).join('\n')}`, '[]');
    },
    assert: (condition, ...args) => {
      if (!condition) error(args.length === 0 ? 'Assertion failed' : `Assertion failed: ${show(args[0])}`, ...args.slice(1));
    },
    dir: (value) => info(show(value)),
    dirxml: info,
    table: (value) => info(show(value)),
    group: (...args) => { if (args.length > 0) info(...args); },
    groupCollapsed: (...args) => { if (args.length > 0) info(...args); },
    groupEnd: () => {},
    count: (label = 'default') => {
      const n = (counts.get(label) ?? 0) + 1;
      counts.set(label, n);
      info(`${label}: ${n}`);
    },
    countReset: (label = 'default') => { counts.delete(label); },
    time: (label = 'default') => { if (timers.size < 1000) timers.set(label, hrtime()); },
    timeLog: (label = 'default', ...args) => { if (timers.has(label)) info(elapsed(label), ...args); },
    timeEnd: (label = 'default') => {
      if (!timers.has(label)) return;
      info(elapsed(label));
      timers.delete(label);
    },
    clear: () => {}, profile: () => {}, profileEnd: () => {}, timeStamp: () => {},
  });
}

module.exports = { level, makeConsole, show };
