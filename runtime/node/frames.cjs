'use strict';
// Frames on the socket that the server hands down as descriptor 3: the
// JavaScript side of internal/wire. Header: length u32, type u8, id u32, all
// little-endian; length counts the body only.
//
// Everything used here is captured before the function's code is loaded, so
// that code cannot change what the protocol does.

const net = require('node:net');
const fs = require('node:fs');

let fd = 3;
const HEADER = 9;
const MAX_BODY = 64 << 20;

const type = {
  load: 1, invoke: 2, ping: 3, recall: 5, dialFailed: 6, connected: 7,
  ready: 16, loaded: 17, loadFailed: 18, result: 19, failed: 20, log: 21, dropped: 22, pong: 23, retire: 24, recalled: 25,
  dial: 26, call: 27, thread: 28,
};

const { writeSync } = fs;
const { allocUnsafe, byteLength } = Buffer;
const { utf8Write, utf8Slice, copy, subarray, writeUInt32LE, readUInt32LE } = Buffer.prototype;
const { apply } = Reflect;
const { exit } = process;
const wait = Atomics.wait;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

const method = (f) => (self, ...args) => apply(f, self, args);
const u32 = method(readUInt32LE);
const slice = method(subarray);
const text = method(utf8Slice);
const copyTo = method(copy);

// Frames up to this size are put together in one reused buffer.
const SCRATCH = 64 << 10;
const scratch = allocUnsafe(SCRATCH);

function header(buf, length, kind, id) {
  buf[0] = length; buf[1] = length >>> 8; buf[2] = length >>> 16; buf[3] = length >>> 24;
  buf[4] = kind;
  buf[5] = id; buf[6] = id >>> 8; buf[7] = id >>> 16; buf[8] = id >>> 24;
}

function put32(buf, at, value) {
  buf[at] = value; buf[at + 1] = value >>> 8; buf[at + 2] = value >>> 16; buf[at + 3] = value >>> 24;
}

// In another thread than the first the frames go by a descriptor of its own.
const use = (descriptor) => { fd = descriptor; };

let muted = false;
const mute = (yes) => { muted = yes; };

// flush writes synchronously: what a function logged has left the process
// before its next statement runs, so it survives whatever that statement does.
function flush(buf, length) {
  if (muted) return;
  let done = 0;
  while (done < length) {
    try {
      done += writeSync(fd, buf, done, length - done);
    } catch (e) {
      if (e.code === 'EAGAIN') wait(sleeper, 0, 0, 1); // the server is busy; it sets the pace
      else exit(70); // the server is gone
    }
  }
}

// send writes a frame whose body is `head` bytes filled in by `fill` (at
// offset HEADER of the buffer) followed by a string.
function send(kind, id, head, fill, string) {
  const most = string.length * 3;
  if (HEADER + head + most <= SCRATCH) {
    if (fill !== null) fill(scratch, HEADER);
    const n = string === '' ? 0 : apply(utf8Write, scratch, [string, HEADER + head, most]);
    header(scratch, head + n, kind, id);
    flush(scratch, HEADER + head + n);
    return;
  }
  const n = byteLength(string);
  const buf = allocUnsafe(HEADER + head + n);
  if (fill !== null) fill(buf, HEADER);
  apply(utf8Write, buf, [string, HEADER + head, n]);
  header(buf, head + n, kind, id);
  flush(buf, HEADER + head + n);
}

// sendBytes writes a frame whose body is a string and then bytes, the
// string's length first.
function sendBytes(kind, id, string, bytes) {
  const n = byteLength(string);
  const buf = allocUnsafe(HEADER + 4 + n + bytes.length);
  put32(buf, HEADER, n);
  apply(utf8Write, buf, [string, HEADER + 4, n]);
  copyTo(bytes, buf, HEADER + 4 + n);
  header(buf, 4 + n + bytes.length, kind, id);
  flush(buf, buf.length);
}

// receive calls onFrame(type, id, buffer, start, end) for each frame; the
// buffer is valid during the call only.
function receive(onFrame) {
  let held = null; // the beginning of a frame that has not arrived whole
  let heldLength = 0;

  function consume(buf, length) {
    let at = 0;
    while (length - at >= HEADER) {
      const size = u32(buf, at);
      if (size > MAX_BODY) exit(71);
      if (length - at - HEADER < size) break;
      const start = at + HEADER;
      at = start + size;
      onFrame(buf[start - 5], u32(buf, start - 4), buf, start, at);
    }
    return at;
  }

  function onData(count, buf) {
    if (held === null) {
      const used = consume(buf, count);
      if (used === count) return true;
      const need = count - used >= HEADER ? HEADER + u32(buf, used) : SCRATCH;
      held = allocUnsafe(need > SCRATCH ? need : SCRATCH);
      heldLength = copyTo(buf, held, 0, used, count);
      return true;
    }
    if (heldLength + count > held.length) {
      const grown = allocUnsafe(heldLength + count + SCRATCH);
      copyTo(held, grown, 0, 0, heldLength);
      held = grown;
    }
    copyTo(buf, held, heldLength, 0, count);
    heldLength += count;
    if (heldLength >= HEADER && heldLength < HEADER + u32(held, 0)) {
      const need = HEADER + u32(held, 0);
      if (need > MAX_BODY + HEADER) exit(71);
      if (need > held.length) {
        const grown = allocUnsafe(need + SCRATCH);
        copyTo(held, grown, 0, 0, heldLength);
        held = grown;
      }
      return true;
    }
    const used = consume(held, heldLength);
    if (used === heldLength) {
      held = null;
    } else {
      copyTo(held, held, 0, used, heldLength);
      heldLength -= used;
    }
    return true;
  }

  const socket = new net.Socket({ fd, readable: true, writable: false, onread: { buffer: allocUnsafe(SCRATCH), callback: onData } });
  socket.on('end', () => exit(0));
  socket.on('error', () => exit(70));
  socket.resume();
}

module.exports = { type, use, mute, HEADER, send, sendBytes, receive, put32, u32, slice, text, byteLength };
