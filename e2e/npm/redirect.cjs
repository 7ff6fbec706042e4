'use strict';
// Loaded into the reference's tools by NODE_OPTIONS=--require. They have the
// ports 443 and 80 and their discovery hosts built in: this leads every TCP
// connection to the server under test, and to nothing else. Names, TLS and
// what is said stay as they are.

const net = require('node:net');

const ports = { 443: Number(process.env.CONVOKE_HTTPS_PORT), 80: Number(process.env.CONVOKE_HTTP_PORT) };
const { connect } = net.Socket.prototype;

net.Socket.prototype.connect = function (...args) {
  const normalized = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args);
  const [options] = normalized;
  if (!options.path) {
    const port = ports[options.port];
    if (!port) throw new Error(`unexpected connection to ${options.host}:${options.port}`);
    normalized[0] = { ...options, host: '127.0.0.1', port, lookup: undefined };
  }
  return connect.call(this, normalized);
};
