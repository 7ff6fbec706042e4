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
const { isNativeError } = require('node:util').types;
const frames = require('./frames.cjs');
const names = require('./names.cjs');
const { errno } = require('node:os').constants;

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
const { connect: nodeConnect, resetAndDestroy: nodeReset } = Socket.prototype;
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
  kReinitializeHandle: adopt, normalizedArgsSymbol: normalized, '_undestroy': Socket.prototype._undestroy, '_reset': Socket.prototype._reset, '_unrefTimer': Socket.prototype._unrefTimer,
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
// connection: { id, invocation, host, port, began, resolved, open, sent, received }.
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
  this._destroy = destroyWaiting;
  dial(this, options.host || 'localhost', Number(options.port));
  return this;
}

// destroyWaiting is the _destroy of a socket that waits for its connection.
// Closing a handle is how Node comes to say in 'close' whether there was an error.
function destroyWaiting(error, done) {
  delete this._destroy;
  this._handle ??= new Pipe(constants.SOCKET);
  this._destroy(error, done);
}

// valid reports whether Node would take the options without throwing. Port 0,
// which nothing listens on, is left to it too.
function valid({ host, port, autoSelectFamily, lookup, localAddress, localPort }) {
  return (!host || typeof host === 'string') && (autoSelectFamily == null || typeof autoSelectFamily === 'boolean') && (lookup == null || typeof lookup === 'function')
    && (!localAddress || isIP(localAddress) > 0) && (!localPort || typeof localPort === 'number')
    && (typeof port === 'number' || typeof port === 'string' && port.trim() !== '') && port > 0 && port < 65536 && Number(port) % 1 === 0;
}

function dial(socket, asked, port) {
  const host = names.nameOf(asked) ?? asked;
  const connection = { id: ++lastDial, invocation: owner(), host, port, began: clock(), resolved: false, open: false, sent: 0, received: 0 };
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
  waiting.set(connection.id, { socket, connection, resume: snapshot() });
  way.hold(true);
  way.reach(() => send(type.dial, connection.id, 7, (buf, o) => {
    put32(buf, o, connection.invocation);
    buf[o + 4] = port;
    buf[o + 5] = port >>> 8;
    buf[o + 6] = socket.encrypted === true ? 1 : 0;
  }, ascii));
  setImmediate(lookedUp, socket, connection);
}

// lookedUp says that the name was resolved, for clients whose time-outs begin
// there. It really is by the server, meanwhile.
function lookedUp(socket, connection) {
  if (connection.resolved || over(socket, connection)) return;
  connection.resolved = true;
  const { host, port } = connection;
  const kind = isIP(host) || 4;
  const address = kind === isIP(host) ? host : names.addressOf(host);
  if (address !== host) socket.emit('lookup', null, address, kind, host);
  if (!over(socket, connection)) socket.emit('connectionAttempt', address, port, kind);
}

const plain = (host) => (/^[\x21-\x7e]*$/.test(host) ? host : domainToASCII(host));

// ---- answers

// way is how this thread reaches the server: reach(ask) calls ask as soon as it
// can be asked, and hold(yes) says whether an answer is waited for. This is the
// first thread's; thread.cjs has that of others.
let way = {
  channel: null,
  reach(ask) {
    if (this.channel === null) inRoot(openChannel);
    ask();
  },
  hold() {}, // descriptor 3 keeps the process alive
};

function openChannel() {
  way.channel = open(CHANNEL, (bytes, length, handle) => {
    if (length < 0) exit(0); // the server is gone
    if (length !== 4) exit(71);
    const [a, b, c, d] = new Uint8Array(bytes);
    answer((a | b << 8 | c << 16 | d << 24) >>> 0, attach, handle);
  });
}

// open reads a descriptor on which connections come, without keeping the
// thread alive. received is called with the bytes of each message and the handle
// of what came along.
function open(fd, received) {
  const channel = new Pipe(constants.IPC);
  channel.pendingHandle = null; // where Node puts what came with the bytes
  channel.onread = (bytes) => {
    const handle = channel.pendingHandle;
    channel.pendingHandle = null;
    received(bytes, streamBaseState[kReadBytesOrError], handle);
  };
  if (channel.open(fd) !== 0 || channel.readStart() !== 0) exit(70);
  channel.unref();
  require('./calls.cjs').watch(find, () => owner());
  return channel;
}

// line asks for a descriptor by which another thread reaches the server, and
// calls take with it, or with -1. The handle that it came with is never closed,
// since the thread closes the descriptor.
function line(take) {
  if (waiting.size >= MAX_WAITING) return void nextTick(take, -1);
  const id = ++lastDial;
  waiting.set(id, { resume: (act, socket, connection, what) => take(act === attach && what !== null ? what.fd : -1) });
  way.reach(() => send(type.thread, id, 0, null, ''));
}

// failed is called for a `dialFailed` frame, connected for a connection that a
// thread is handed.
const failed = (id, refusal) => answer(id, fail, refusal);
const connected = (id, handle) => answer(id, attach, handle);

// giveUp fails all dials that wait.
function giveUp(refusal) {
  for (const [id, { connection: { host } }] of [...waiting]) failed(id, { ...refusal, message: `The call to ${host} was refused: ${refusal.message}` });
}

function answer(id, act, what) {
  const dialled = waiting.get(id);
  if (dialled === undefined) exit(71);
  waiting.delete(id);
  if (waiting.size === 0) {
    crowded = false;
    way.hold(false);
  }
  dialled.resume(act, dialled.socket, dialled.connection, what);
}

// over reports whether nobody waits for the connection any more: its socket
// was destroyed, or has even been told to connect again.
const over = (socket, connection) => !socket.connecting || connections.get(socket) !== connection;

// awaited reports whether anybody waits for a connection.
const awaited = () => waiting.values().some(({ socket, connection }) => socket !== undefined && !over(socket, connection));

function attach(socket, connection, handle) {
  if (over(socket, connection)) {
    handle?.close();
    return;
  }
  if (handle === null) { // the kernel could not give it a descriptor
    fail(socket, connection, { code: 'EMFILE', message: `connect EMFILE ${connection.host}:${connection.port}: too many connections and files are open` });
    return;
  }
  lookedUp(socket, connection); // if the answer was faster than that
  if (over(socket, connection)) {
    handle.close();
    return;
  }
  describe(handle, connection);
  delete socket._destroy;
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
  // Nothing can be reset over the pair of sockets, which is what this is: what
  // was not sent is dropped, and the other side sees an end.
  handle.reset = (done) => { handle.close(done); return 0; };
  handle.getpeername = fill({ address, family: isIP(address) === 6 ? 'IPv6' : 'IPv4', port });
  handle.getsockname = fill({ address: names.own, family: 'IPv4', port: 32768 + id % 28232 });
}

// resetAndDestroy is Node's, which takes TCP sockets only.
function resetAndDestroy() {
  if (connections.get(this) === undefined || !this.connecting && !this._handle) return apply(nodeReset, this, []);
  if (this.connecting) this.once('connect', () => this._reset());
  else this._reset();
  return this;
}

class EgressError extends Error {}
Object.defineProperty(EgressError.prototype, 'name', { value: 'EgressError', configurable: true, writable: true });

// refusal is what the proxy said, of an error that it caused at some depth: of
// fetch's own words, "fetch failed", nobody learns which domain to allow.
function refusal(error) {
  for (let cause = error.cause, depth = 0; depth < 4 && isNativeError(cause); cause = cause.cause, depth++) {
    if (cause instanceof EgressError) return cause.message;
  }
  return '';
}

function fail(socket, connection, { code, message, status }) {
  if (over(socket, connection)) return;
  const { host, port } = connection;
  if (code.startsWith('ERR_EGRESS_')) {
    socket.destroy(Object.assign(new EgressError(message), { code, host, port, statusCode: status }));
  } else if (code === 'ENOTFOUND') {
    const error = Object.assign(new Error(message), { errno: names.NO_NAME, code, syscall: 'getaddrinfo', hostname: host });
    if (!connection.resolved && !isIP(host)) socket.emit('lookup', error, undefined, undefined, host);
    socket.destroy(error);
  } else {
    lookedUp(socket, connection);
    const error = Object.assign(new Error(message), { errno: -errno[code] || undefined, code, syscall: 'connect', address: isIP(host) ? host : names.addressOf(host), port });
    socket.emit('connectionAttemptFailed', error.address, port, isIP(error.address), error);
    if (!over(socket, connection)) socket.destroy(error);
  }
}

// threads gives the threads that the function starts from now on a way out. It
// is settled once there is one for the first of them.
const threads = () => require('./threads.cjs').install(line, () => owner());

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
// invocation that runs, and a way to write a warning to its log; and in another
// thread than the first, the way to the server.
function install(idOfInvocation, writeWarning, wayOfThread = way) {
  owner = idOfInvocation;
  warn = writeWarning;
  way = wayOfThread;
  Socket.prototype.connect = connect;
  Socket.prototype.resetAndDestroy = resetAndDestroy;
  names.install();
}

module.exports = { install, failed, connected, giveUp, awaited, open, inRoot, line, threads, refusal };
