'use strict';
// Runs first in each thread that a function starts: its connections are asked
// for on a line of its own, in frames, and come along with one.

const { getEnvironmentData, setEnvironmentData, isMainThread } = require('node:worker_threads');
const frames = require('./frames.cjs');
const egress = require('./egress.cjs');
require('./host.cjs');

const KEY = 'convoke.thread'; // of the data that a thread inherits
// Places in what the first thread shares with it: the descriptor of its line, 0
// while it has none and -1 for never; and whether somebody has taken that.
const DESCRIPTOR = 0;
const TAKEN = 1;
const POLL = 5; // ms

const { HEADER, type, u32, text } = frames;
const { parse } = JSON;
const { load, compareExchange } = Atomics;
const { setTimeout, setInterval, clearInterval } = globalThis;
const { exit, nextTick } = process;
const { concat } = Buffer;
const from = Buffer.from.bind(Buffer);

// A thread that a thread starts inherits nothing.
const given = getEnvironmentData(KEY);
setEnvironmentData(KEY, undefined);
const at = process.execArgv.indexOf(__filename);
if (at > 0) process.execArgv.splice(at - 1, 2);

const refused = { code: 'ERR_EGRESS_REFUSED', status: 403, message: 'a thread that was started by a thread cannot make calls; start it from the first one' };
const limited = { code: 'ERR_EGRESS_LIMITED', status: 429, message: 'the server has no way out left for this thread; use fewer threads, or make the call in the first' };

let asking = []; // what waits for the line to open
let holding = null; // a timer that keeps the thread alive while it waits for an answer
let held = from([]); // the beginning of a frame that has not arrived whole

const way = {
  channel: null,
  reach(ask) {
    if (this.channel !== null) return ask();
    if (asking.push(ask) === 1) egress.inRoot(openLine);
  },
  hold(yes) {
    if (yes) holding ??= setInterval(letGo, POLL);
    else if (holding !== null) {
      clearInterval(holding);
      holding = null;
    }
  },
};

// letGo lets the thread end once all sockets that wait were destroyed, whose
// answers may be long in coming.
function letGo() {
  if (!egress.awaited()) way.hold(false);
}

function openLine() {
  const fd = given === undefined ? -1 : load(given.shared, DESCRIPTOR);
  if (fd === 0) {
    setTimeout(openLine, POLL);
    return;
  }
  const all = asking;
  asking = [];
  if (fd < 0 || compareExchange(given.shared, TAKEN, 0, 1) !== 0) {
    nextTick(egress.giveUp, given === undefined ? refused : limited);
    return;
  }
  frames.use(fd);
  way.channel = egress.open(fd, received);
  for (const ask of all) ask();
}

function received(bytes, length, handle) {
  if (length < 0) exit(70); // the server is gone
  held = held.length === 0 ? from(bytes) : concat([held, from(bytes)]);
  let start = 0;
  while (held.length - start >= HEADER && held.length - start - HEADER >= u32(held, start)) {
    const body = start + HEADER;
    const end = body + u32(held, start);
    const id = u32(held, start + 5);
    // Linux ends a read behind the bytes that a descriptor came with, so it
    // belongs to the last of them.
    if (held[start + 4] === type.connected) egress.connected(id, end === held.length ? handle : null);
    else if (held[start + 4] === type.dialFailed) egress.failed(id, parse(text(held, body, end)));
    else exit(71);
    start = end;
  }
  held = held.subarray(start);
}

if (!isMainThread) egress.install(() => given?.invocation ?? 0, () => {}, way);

module.exports = { KEY, DESCRIPTOR, TAKEN };
