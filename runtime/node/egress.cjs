'use strict';
// The way out. Whatever library makes a call, it ends in
// net.Socket.prototype.connect. Instead of opening a connection, which a
// worker cannot, that asks the server for one by a `dial` frame. The server
// hands down an open connection over a second socket, descriptor 4, or answers
// `dialFailed` (docs/adr/0010).
//
// This rests on internals of the pinned Node builds, which are looked for
// here, so that a build without them fails at its start and not in a call.

const net = require('node:net');
const { AsyncLocalStorage } = require('node:async_hooks');
const { domainToASCII } = require('node:url');
const frames = require('./frames.cjs');
const names = require('./names.cjs');

const CHANNEL = 4;
const MAX_HOST = 255; // in bytes
// Dials that wait for an answer. The server takes more as an attack.
const MAX_WAITING = 256;

const { type, send, put32 } = frames;
const { exit, nextTick } = process;
const { setImmediate } = globalThis;
const { apply } = Reflect;
const { isArray } = Array;
const { isIP, _normalizeArgs: normalize, Socket } = net;
const { connect: nodeConnect } = Socket.prototype;
const { snapshot } = AsyncLocalStorage;
const clock = performance.now.bind(performance);

const { Pipe, constants } = process.binding('pipe_wrap');
const { streamBaseState, kReadBytesOrError } = process.binding('stream_wrap');
// Given a connected handle, this method makes it a socket's own, and wraps it
// in TLS for a TLSSocket. Node uses it when it tries several addresses.
const adopt = Object.getOwnPropertySymbols(Socket.prototype).find((s) => s.description === 'kReinitializeHandle');
const [normalized] = Object.getOwnPropertySymbols(normalize([]));

for (const [name, there] of Object.entries({
  Pipe, 'Pipe.asyncReset': Pipe?.prototype.asyncReset, 'Pipe.IPC': constants?.IPC, streamBaseState, kReadBytesOrError,
  kReinitializeHandle: adopt, normalizedArgsSymbol: normalized, '_undestroy': Socket.prototype._undestroy, '_unrefTimer': Socket.prototype._unrefTimer,
})) {
  if (there === undefined) throw new Error(`Node ${process.version} has no ${name}, which functions need to make calls; use a build that runtime/node/package.json pins`);
}

// inRoot runs a function outside of every invocation.
const inRoot = snapshot();

let owner = () => 0; // the id of the invocation that runs, 0 outside of any
let warn = () => {};
let lastDial = 0;
let crowded = false; // the function was told that it asks for too much at a time

// Dials by id that have no answer yet, and of each socket what is known of its
// connection: { id, invocation, host, port, began, open, sent, received }.
const waiting = new Map();
const connections = new WeakMap();

// ---- asking

function connect(...args) {
  const [options, callback] = isArray(args[0]) && args[0][normalized] ? args[0] : normalize(args);
  // Unix sockets and wrong arguments are Node's own business.
  if (options.path || this._parent?.connecting || !valid(options)) return apply(nodeConnect, this, args);
  if (callback !== null) this.once('connect', callback);

  // A socket can connect again.
  if (this.destroyed) this._handle = this._peername = null;
  if (!this._handle) this._undestroy();
  this._unrefTimer();
  this.connecting = true;
  dial(this, options.host || 'localhost', Number(options.port));
  return this;
}

// valid reports whether Node would take the options without throwing. Port 0,
// which nothing listens on, is left to it too.
function valid({ host, port }) {
  return (!host || typeof host === 'string') && (typeof port === 'number' || typeof port === 'string' && port.trim() !== '') && port > 0 && port < 65536 && Number(port) % 1 === 0;
}

function dial(socket, asked, port) {
  const host = names.nameOf(asked) ?? asked;
  const connection = { id: ++lastDial, invocation: owner(), host, port, began: clock(), open: false, sent: 0, received: 0 };
  connections.set(socket, connection);
  const ascii = plain(host);
  if (ascii === '' || ascii.length > MAX_HOST) {
    nextTick(fail, socket, connection, { code: 'ENOTFOUND', message: `getaddrinfo ENOTFOUND ${host.slice(0, MAX_HOST)}` });
    return;
  }
  if (waiting.size >= MAX_WAITING) {
    const message = `${MAX_WAITING} connections are being opened; make fewer calls at a time`;
    if (!crowded) warn(`A call to ${host} was refused: ${message}`);
    crowded = true;
    nextTick(fail, socket, connection, { code: 'ERR_EGRESS_LIMITED', message, status: 429 });
    return;
  }
  if (channel === null) inRoot(openChannel);
  waiting.set(connection.id, { socket, connection, resume: snapshot() });
  send(type.dial, connection.id, 7, (buf, o) => {
    put32(buf, o, connection.invocation);
    buf[o + 4] = port;
    buf[o + 5] = port >>> 8;
    buf[o + 6] = socket.encrypted === true ? 1 : 0;
  }, ascii);
  if (!isIP(host)) setImmediate(lookedUp, socket, connection);
}

// lookedUp says that the name was resolved, for clients whose time-outs begin
// there. It really is by the server, meanwhile.
function lookedUp(socket, connection) {
  if (connection.open || over(socket, connection)) return;
  socket.emit('lookup', null, names.addressOf(connection.host), 4, connection.host);
}

const plain = (host) => (/^[\x21-\x7e]*$/.test(host) ? host : domainToASCII(host));

// ---- answers

let channel = null;

function openChannel() {
  channel = new Pipe(constants.IPC);
  channel.pendingHandle = null; // where Node puts what came with the bytes
  channel.onread = handedOver;
  if (channel.open(CHANNEL) !== 0 || channel.readStart() !== 0) exit(70);
  channel.unref(); // descriptor 3 keeps the process alive
  require('./calls.cjs').watch(find, () => owner());
}

function handedOver(bytes) {
  const handle = channel.pendingHandle;
  channel.pendingHandle = null;
  const length = streamBaseState[kReadBytesOrError];
  if (length < 0) exit(0); // the server is gone
  if (length !== 4) exit(71);
  const [a, b, c, d] = new Uint8Array(bytes);
  answer((a | b << 8 | c << 16 | d << 24) >>> 0, attach, handle);
}

// failed is called for a `dialFailed` frame.
function failed(id, refusal) {
  answer(id, fail, refusal);
}

function answer(id, act, what) {
  const dialled = waiting.get(id);
  if (dialled === undefined) exit(71);
  waiting.delete(id);
  if (waiting.size === 0) crowded = false;
  dialled.resume(act, dialled.socket, dialled.connection, what);
}

// over reports whether nobody waits for the connection any more: its socket
// was destroyed, or has even been told to connect again.
const over = (socket, connection) => !socket.connecting || connections.get(socket) !== connection;

function attach(socket, connection, handle) {
  if (over(socket, connection)) {
    handle?.close();
    return;
  }
  if (handle === null) { // the kernel could not give it a descriptor
    fail(socket, connection, { code: 'EMFILE', message: `connect EMFILE ${connection.host}:${connection.port}: too many connections and files are open` });
    return;
  }
  describe(handle, connection);
  handle.asyncReset(handle); // its events belong to this invocation
  // Adopting would forget that the socket was ended while it waited.
  socket._undestroy = () => {};
  try {
    socket[adopt](handle);
  } catch (e) {
    handle.close();
    socket.destroy(e);
    return;
  } finally {
    delete socket._undestroy;
  }
  if (socket.encrypted) {
    // Node switches these on when the listener is added, on the handle there is then.
    if (socket.listenerCount('session') > 0) socket._handle.enableSessionCallbacks();
    if (socket.listenerCount('keylog') > 0) socket._handle.enableKeylogCallback();
  }
  connection.open = true;
  // From here on as Node does it when a connection is made.
  socket.connecting = false;
  socket._unrefTimer();
  socket.emit('connect');
  socket.emit('ready');
  if (socket.readable && !socket.isPaused()) socket.read(0);
}

// describe gives the handle the addresses that a network connection has.
function describe(handle, { id, host, port }) {
  const address = isIP(host) ? host : names.addressOf(host);
  const fill = (peer) => (out) => { Object.assign(out, peer); return 0; };
  handle.getpeername = fill({ address, family: isIP(address) === 6 ? 'IPv6' : 'IPv4', port });
  handle.getsockname = fill({ address: names.own, family: 'IPv4', port: 32768 + id % 28232 });
}

class EgressError extends Error {}
Object.defineProperty(EgressError.prototype, 'name', { value: 'EgressError', configurable: true, writable: true });

function fail(socket, connection, { code, message, status }) {
  if (over(socket, connection)) return;
  const { host, port } = connection;
  socket._handle ??= new Pipe(constants.SOCKET); // closing one is how Node comes to say in 'close' that there was an error
  if (code.startsWith('ERR_EGRESS_')) {
    socket.destroy(Object.assign(new EgressError(message), { code, host, port, statusCode: status }));
  } else if (code === 'ENOTFOUND') {
    socket.destroy(Object.assign(new Error(message), { code, syscall: 'getaddrinfo', hostname: host }));
  } else {
    socket.destroy(Object.assign(new Error(message), { code, syscall: 'connect', address: host, port }));
  }
}

// find returns the socket that was dialled and its connection, for a socket
// that may lie over it, such as TLS over a tunnel.
function find(socket) {
  for (let s = socket, depth = 0; s && depth < 4; s = s._parent ?? s.stream, depth++) {
    const connection = connections.get(s);
    if (connection !== undefined) return connection.open ? { socket: s, connection } : undefined;
  }
  return undefined;
}

// install takes the two functions that the worker has for it: the id of the
// invocation that runs, and a way to write a warning to its log.
function install(idOfInvocation, writeWarning) {
  owner = idOfInvocation;
  warn = writeWarning;
  Socket.prototype.connect = connect;
  names.install();
}

module.exports = { install, failed };
