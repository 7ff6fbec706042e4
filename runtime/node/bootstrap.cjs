'use strict';
// The worker: one Node process that is handed one function and runs its
// invocations. It starts blank, says `ready`, waits for `load`, and then
// answers `invoke` frames until it is killed or its socket closes.

const frames = require('./frames.cjs');
const { AsyncLocalStorage } = require('node:async_hooks');
const { types } = require('node:util');
const { makeConsole, level, show } = require('./console.cjs');
const stack = require('./stack.cjs');
const loader = require('./loader.cjs');
const egress = require('./egress.cjs');
require('./host.cjs');

const { type, send, sendBytes, put32, u32, slice, text, byteLength } = frames;
const { parse, stringify } = JSON;
const { isNativeError, isPromise } = types;
const { exit, resourceUsage } = process;
const { apply } = Reflect;
const { then } = Promise.prototype;
const { now: epoch } = Date;
const clock = performance.now.bind(performance);
const loop = performance.nodeTiming;
const resolved = Promise.resolve.bind(Promise);
const { min, round } = Math;
const { queueMicrotask } = globalThis;
const runtimeErrors = [TypeError, ReferenceError, SyntaxError, RangeError];

const source = { console: 0, platform: 3 };
const flag = { none: 0, retire: 1 };

// Invocations in flight by id, and what is written outside of any.
const running = new Map();
const current = new AsyncLocalStorage();
const outside = { id: 0, requestId: '', entries: 0, chars: 0, dropped: 0, done: false };

let program = null; // { lambda, contract, limits, serial }
let next = []; // a serial program's invocations that wait for the one that runs
let cpuSeen = 0; // µs of CPU already accounted for

// ---- log entries

// write sends one log entry at once, so that it outlives the process. Beyond
// the limits entries are counted instead.
function write(lvl, message, extras, from = source.console) {
  const inv = current.getStore() ?? outside;
  const { entries, chars } = program === null ? bootLimits : program.limits;
  const size = message.length + extras.length;
  if (inv.entries >= entries || inv.chars + size > chars) {
    if (inv.dropped++ === 0) drop(inv);
    return;
  }
  inv.entries++;
  inv.chars += size;
  entry(inv.id, lvl, message, extras, from);
}

const bootLimits = { entries: 500, chars: 128 << 10 };

function entry(id, lvl, message, extras, from) {
  const at = epoch();
  const extrasBytes = extras === '[]' ? 2 : byteLength(extras);
  send(type.log, id, 14, (buf, o) => {
    buf[o] = lvl;
    buf[o + 1] = from;
    put32(buf, o + 2, at % 0x100000000);
    put32(buf, o + 6, at / 0x100000000);
    put32(buf, o + 10, extrasBytes);
  }, extras + message);
}

function drop(inv) {
  send(type.dropped, inv.id, 4, (buf, o) => put32(buf, o, inv.dropped), '');
}

const platform = (lvl, message, extras = '[]') => write(lvl, message, extras, source.platform);

// ---- answers

// usage fills the head of an answer: flags, run and CPU time in µs, the
// process's highest resident size in KiB, and for how much of the run the
// event loop had nothing to do, in µs.
function usage(inv, flags) {
  const u = resourceUsage();
  const cpu = u.userCPUTime + u.systemCPUTime;
  const spent = cpu - cpuSeen;
  cpuSeen = cpu;
  const run = round((clock() - inv.started) * 1000);
  const idle = round((loop.idleTime - inv.idle) * 1000);
  return (buf, o) => {
    buf[o] = flags;
    put32(buf, o + 1, min(run, 0xffffffff));
    put32(buf, o + 5, spent);
    put32(buf, o + 9, u.maxRSS);
    put32(buf, o + 13, min(idle, run));
  };
}

function close(inv) {
  inv.done = true;
  running.delete(inv.id);
  if (inv.dropped > 0) drop(inv);
}

function succeed(inv, value) {
  if (inv.done) return;
  let json;
  try {
    json = value === undefined ? 'null' : stringify(value);
    if (json === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
  } catch (e) {
    fail(inv, 'result', e, `The result cannot be serialised as JSON: ${e?.message}`);
    return;
  }
  if (json.length > program.limits.result) {
    fail(inv, 'limit', undefined, `The result has ${json.length} characters; at most ${program.limits.result} bytes are allowed`);
    return;
  }
  close(inv);
  send(type.result, inv.id, 17, usage(inv, flag.none), json);
  if (next.length > 0) queueMicrotask(advance);
}

function fail(inv, kind, error, message, flags = flag.none) {
  if (inv.done) return;
  close(inv);
  send(type.failed, inv.id, 17, usage(inv, flags), stringify(describe(kind, error, message)));
  if (next.length > 0) queueMicrotask(advance);
}

function describe(kind, error, message) {
  const bounded = (s) => String(s).slice(0, 8192);
  try {
    const native = isNativeError(error);
    const trace = native ? bounded(show(error)) : '';
    const refused = native && message === undefined ? egress.refusal(error) : '';
    return {
      kind,
      name: native ? bounded(error.name) : error === undefined ? '' : typeof error,
      message: bounded(message ?? (native ? error.message : show(error)) + (refused && `: ${refused}`)),
      stack: trace,
      place: stack.place(trace),
    };
  } catch { // a getter or a proxy in the error that throws again
    return { kind, name: 'Error', message: 'the function failed with a value that cannot be shown', stack: '', place: '' };
  }
}

const kindOf = (error) => (isNativeError(error) && runtimeErrors.some((c) => error instanceof c) ? 'runtime' : 'threw');

// ---- invocations

function invoke(id, buf, start, end) {
  const bodyAt = start + 1 + buf[start];
  const inv = { id, requestId: text(buf, start + 1, bodyAt), entries: 0, chars: 0, dropped: 0, done: false, started: 0, idle: 0 };
  const json = text(buf, bodyAt, end);
  if (program.serial && running.size > 0) next.push({ inv, json });
  else begin(inv, json);
}

function begin(inv, json) {
  inv.started = clock();
  inv.idle = loop.idleTime;
  running.set(inv.id, inv);
  outside.entries = outside.chars = outside.dropped = 0;
  current.run(inv, run, inv, json);
}

// advance begins the next invocation once what the last one left in the
// microtask queue has run.
function advance() {
  if (next.length === 0 || running.size > 0) return;
  const { inv, json } = next.shift();
  begin(inv, json);
}

// recall gives back an invocation that has not begun, so that the server can
// give it to an instance that is free.
function recall(id) {
  const i = next.findIndex((n) => n.inv.id === id);
  if (i < 0) return;
  next.splice(i, 1);
  send(type.recalled, id, 0, null, '');
}

function run(inv, json) {
  let input;
  try {
    input = parse(json);
    const { headers } = input;
    if (headers === undefined || headers === null) input.headers = [];
    else if (!Array.isArray(headers)) input.headers = Object.entries(headers).map(([key, value]) => ({ key, value }));
  } catch (e) {
    fail(inv, 'input', e);
    return;
  }
  try {
    if (program.contract === 'v1') runV1(inv, input);
    else runV2(inv, input);
  } catch (e) {
    fail(inv, kindOf(e), e);
  }
}

function runV2(inv, input) {
  const { lambda } = program; // called by its own name: a stack shows that
  const r = lambda(input);
  const promise = isPromise(r) ? r : typeof r?.then === 'function' ? resolved(r) : null;
  if (promise === null) succeed(inv, r);
  else apply(then, promise, [(v) => succeed(inv, v), (e) => fail(inv, kindOf(e), e)]);
}

// runV1 calls lambda(input, callback). What an async lambda returns is
// ignored, its rejection is a failure (spec/events.md 1.1).
function runV1(inv, input) {
  let called = false;
  const callback = (error, result) => {
    if (called) {
      platform(level.warn, 'The callback was called again; only the first call counts');
      return;
    }
    called = true;
    if (error === null || error === undefined) {
      succeed(inv, result);
    } else {
      if (!isNativeError(error)) {
        platform(level.warn, 'The error given to the callback is in an incorrect format: pass an Error', originalFailure(error));
      }
      fail(inv, kindOf(error), error);
    }
  };
  const { lambda } = program;
  const r = lambda(input, callback);
  if (isPromise(r)) apply(then, r, [undefined, (e) => fail(inv, kindOf(e), e)]);
}

function originalFailure(value) {
  try {
    return stringify([{ originalFailure: value }]);
  } catch {
    return stringify([{ originalFailure: show(value) }]);
  }
}

// ---- what escapes the function

const owner = () => current.getStore() ?? (running.size === 1 ? running.values().next().value : undefined);

process.on('uncaughtException', (error) => {
  const inv = owner();
  current.run(inv, () => {
    const late = inv === undefined || inv.done ? ' after lambda had answered' : '';
    platform(level.error, `Uncaught exception${late}, outside of lambda's own calls (in a timer or an event handler): ${show(error)}`);
  });
  // Node's own state is undefined after this: finish what runs, begin nothing.
  for (const n of next) send(type.recalled, n.inv.id, 0, null, '');
  next = [];
  if (inv !== undefined && !inv.done) fail(inv, kindOf(error), error, undefined, flag.retire);
  else send(type.retire, 0, 0, null, 'uncaught exception');
});

process.on('unhandledRejection', (reason) => {
  current.run(owner(), () => platform(level.error, `Unhandled promise rejection: ${show(reason)}`));
});

process.exit = (code) => {
  send(type.retire, 0, 0, null, `process.exit(${code === undefined ? '' : show(code)})`);
  exit(code);
};

// In its own pid namespace the worker is process 1, which the kernel protects
// from its own signals: a function that ends itself this way means it.
const { kill } = process;
const fatal = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGABRT', 9, 15, 2, 1, 3, 6]);
process.kill = (pid, signal = 'SIGTERM') => {
  if (pid === process.pid && fatal.has(signal) && process.listenerCount(signal) === 0) process.exit(1);
  return apply(kill, process, [pid, signal]);
};

// ---- life

// Set by the server for Node itself: without TZ it would take the host's zone.
const hostVariables = new Set(['TZ', 'LANG', 'HOME', 'TMPDIR']);

async function load(buf, start, end) {
  const size = (at) => u32(buf, start + at);
  let at = start + 16;
  const part = (n) => Buffer.from(slice(buf, at, at += n)); // a copy: the frame's buffer is reused
  const meta = parse(part(size(0)).toString('utf8'));
  const code = part(size(4)).toString('utf8');
  const map = part(size(8));
  const cache = part(size(12));

  for (const name of Object.keys(process.env)) if (!hostVariables.has(name)) delete process.env[name];
  Object.assign(process.env, meta.env);
  stack.setSourceMap(map);
  // Loading that module takes 5 ms, which a function without it does not wait for.
  if (code.includes('worker_threads')) await egress.threads();
  program = { lambda: undefined, contract: meta.contract, limits: meta.limits, serial: meta.serial };
  try {
    const loaded = await loader.load(meta.format, code, cache);
    if (typeof loaded.lambda !== 'function') {
      send(type.loadFailed, 0, 0, null, stringify({ kind: 'contract', name: '', stack: '', place: '',
        message: 'the module has no function named lambda: declare one, or export it' }));
      return;
    }
    program.lambda = loaded.lambda;
    sendBytes(type.loaded, 0, stringify({ length: loaded.lambda.length, node: process.version }), meta.wantCache ? loaded.cache() : Buffer.alloc(0));
  } catch (e) {
    send(type.loadFailed, 0, 0, null, stringify(describe('threw', e)));
  }
}

globalThis.console = makeConsole((lvl, message, extras) => write(lvl, message, extras), () => current.getStore()?.requestId);
egress.install(() => (current.getStore() ?? outside).id, (message) => platform(level.warn, message));
Error.prepareStackTrace = stack.prepare;
Error.stackTraceLimit = 20;

frames.receive((kind, id, buf, start, end) => {
  switch (kind) {
    case type.invoke: invoke(id, buf, start, end); break;
    case type.recall: recall(id); break;
    case type.ping: send(type.pong, id, 0, null, ''); break;
    case type.dialFailed: egress.failed(id, parse(text(buf, start, end))); break;
    case type.load: load(buf, start, end); break;
    default: exit(71);
  }
});

// rehearse takes the way of a first load and invocation once, with the socket
// muted, while nobody waits: modules are then loaded and the code is compiled.
async function rehearse() {
  frames.mute(true);
  const code = 'const lambda = async (input) => ({ ...input.payload }); __convoke_lambda(lambda)';
  program = { ...await loader.load('cjs', code, Buffer.alloc(0)), contract: 'v2', limits: { ...bootLimits, result: 1000 } };
  const body = Buffer.from('\x01r{"headers":[],"payload":{"a":1}}');
  for (let i = 0; i < 3; i++) invoke(0, body, 0, body.length);
  current.run(outside, () => console.log('rehearsal', {}));
  await null;
  frames.mute(false);
  program = null;
  outside.entries = outside.chars = 0;
}

rehearse().then(() => send(type.ready, 0, 0, null, stringify({ node: process.version, pid: process.pid })));
