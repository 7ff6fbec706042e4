'use strict';
// Gives each thread that the function starts a way out of its own. It cannot
// lead through this thread, which may wait for that one. So the server opens a
// line for a thread, and hands it down like a connection; the thread takes over
// the descriptor (thread.cjs). One is fetched in advance, because a function may
// start a thread and wait for it without coming back to the event loop.

const threads = require('node:worker_threads');
const { join } = require('node:path');
const { syncBuiltinESMExports } = require('node:module');

const { KEY, DESCRIPTOR, TAKEN } = require('./thread.cjs');

const PRELOAD = ['--require', join(__dirname, 'thread.cjs')];

const { Worker, setEnvironmentData } = threads;
const { store, compareExchange } = Atomics;
// What a thread inherits unless it is told other options; the rest is for processes.
const inherited = process.execArgv.filter((a) => /^--(experimental|disable-warning)/.test(a));

const spare = []; // descriptors of lines that no thread has
const without = []; // what is shared with threads that wait for one
let asked = 0;
let ready;

// install replaces Worker, and returns a promise for the first line.
function install(line, owner) {

  const ask = () => {
    while (asked < without.length + (spare.length === 0 ? 1 : 0)) {
      asked++;
      line((fd) => {
        asked--;
        give(fd);
        ready();
      });
    }
  };

  threads.Worker = class extends Worker {
    constructor(file, options) {
      const shared = new Int32Array(new SharedArrayBuffer(8));
      without.push(shared);
      if (spare.length > 0) give(spare.pop());
      setEnvironmentData(KEY, { shared, invocation: owner() });
      try {
        super(file, { ...options, execArgv: [...options?.execArgv ?? inherited, ...PRELOAD] });
      } catch (e) {
        takeBack(shared);
        throw e;
      } finally {
        setEnvironmentData(KEY, undefined);
      }
      this.once('exit', () => takeBack(shared));
      ask();
    }
  };
  Object.defineProperty(threads.Worker, 'name', { value: 'Worker' });
  syncBuiltinESMExports();
  return new Promise((resolve) => {
    ready = resolve;
    ask();
  });
}

function give(fd) {
  const shared = without.shift();
  if (shared !== undefined) store(shared, DESCRIPTOR, fd);
  else if (fd > 0) spare.push(fd);
}

// takeBack makes a line that its thread never used another's.
function takeBack(shared) {
  const i = without.indexOf(shared);
  if (i >= 0) without.splice(i, 1);
  else if (compareExchange(shared, TAKEN, 0, 1) === 0 && shared[DESCRIPTOR] > 0) give(shared[DESCRIPTOR]);
}

module.exports = { install };
