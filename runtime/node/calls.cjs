'use strict';
// Tells the server of each request on a connection what it was: method,
// status, bytes and time, for the record of calls. Node's http and undici,
// built in or from npm, publish that. Loaded with the first connection.

const { subscribe } = require('node:diagnostics_channel');
const { type, send, put32 } = require('./frames.cjs');

const MAX_METHOD = 16;
const MAX_DETAIL = 100;

const clock = performance.now.bind(performance);
const { min, round } = Math;

// watch reports requests from now on. find(socket) is its { socket, connection }
// if the server opened it, owner() the id of the invocation that runs.
function watch(find, owner) {
  const requests = new WeakMap(); // { invocation, began, over, method, status, done }

  const about = (invocation, began) => ({ invocation, began, over: undefined, method: '', status: 0, done: false });
  const begin = (request) => requests.set(request, about(owner(), clock()));

  // sent notes over which connection a request goes. Of the first one its
  // beginning was missed: it is the one that asked for the connection.
  function sent(request, socket) {
    const over = find(socket);
    if (over === undefined) return undefined;
    const r = requests.get(request) ?? about(over.connection.invocation, over.connection.began);
    r.over = over;
    r.method = request.method;
    requests.set(request, r);
    return r;
  }

  function end(r, detail) {
    if (r?.over === undefined || r.done) return;
    r.done = true;
    report(r, detail);
  }

  const on = (name, note) => subscribe(name, (message) => {
    try {
      note(message);
    } catch { /* a report must not break the call that it is about */ }
  });

  on('undici:request:create', ({ request }) => begin(request));
  on('undici:client:sendHeaders', ({ request, socket }) => sent(request, socket));
  on('undici:request:headers', ({ request, response }) => {
    const r = requests.get(request);
    if (r !== undefined) r.status = response.statusCode;
  });
  on('undici:request:trailers', ({ request }) => end(requests.get(request), ''));
  on('undici:request:error', ({ request, error }) => end(requests.get(request), nameOf(error)));

  on('http.client.request.start', ({ request }) => begin(request));
  on('http.client.response.finish', ({ request, response }) => {
    const r = sent(request, request.socket);
    if (r === undefined) return;
    r.status = response.statusCode;
    response.once('close', () => {
      try {
        end(r, response.complete ? '' : 'aborted');
      } catch { /* as above */ }
    });
  });
  on('http.client.request.error', ({ request, error }) => end(sent(request, request.socket), nameOf(error)));
}

const nameOf = (error) => (typeof error?.code === 'string' ? error.code : String(error?.name ?? 'error'));

// report sends what the connection carried since the last report of it.
function report({ invocation, began, over: { socket, connection }, method, status }, detail) {
  const sentNow = socket.bytesWritten;
  const receivedNow = socket.bytesRead;
  const sent = sentNow - connection.sent;
  const received = receivedNow - connection.received;
  connection.sent = sentNow;
  connection.received = receivedNow;
  const verb = method.slice(0, MAX_METHOD);
  send(type.call, connection.id, 27, (buf, o) => {
    put32(buf, o, invocation);
    put32(buf, o + 4, min(round(clock() - began), 0xffffffff));
    buf[o + 8] = status;
    buf[o + 9] = status >>> 8;
    put32(buf, o + 10, sent);
    put32(buf, o + 14, sent / 0x100000000);
    put32(buf, o + 18, received);
    put32(buf, o + 22, received / 0x100000000);
    buf[o + 26] = verb.length;
  }, verb + detail.slice(0, MAX_DETAIL).replace(/[^\x20-\x7e]/g, '?'));
}

module.exports = { watch };
