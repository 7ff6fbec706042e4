'use strict';
// Stack traces in the developer's own lines: positions in the bundle are
// mapped back by its source map when, and only when, a stack is read.

const { SourceMap } = require('node:module');

const BUNDLE = 'function:bundle';
const own = __dirname;

let mapBytes = null; // the map as it came; most functions never need it parsed
let map = null;

// setSourceMap takes the bundle's source map, a Buffer that stays valid.
function setSourceMap(bytes) {
  mapBytes = bytes.length > 0 ? bytes : null;
  map = null;
}

function locate(line, column) {
  if (map === null && mapBytes !== null) {
    try {
      map = new SourceMap(JSON.parse(mapBytes.toString('utf8')));
    } catch { /* a damaged map must not hide the error that is being shown */ }
    mapBytes = null;
  }
  const entry = map?.findEntry(line - 1, column - 1);
  if (entry?.originalSource === undefined) return null;
  return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

function show(site) {
  const file = site.getFileName();
  if (file !== BUNDLE) return String(site);
  const place = locate(site.getLineNumber(), site.getColumnNumber());
  if (place === null) return null; // the bundler's own glue
  const text = String(site);
  const open = text.lastIndexOf('(');
  return open >= 0 ? `${text.slice(0, open)}(${place})` : `${text.startsWith('async ') ? 'async ' : ''}${place}`;
}

function hidden(site) {
  const file = site.getFileName();
  return typeof file === 'string' && (file.startsWith(own) || file.startsWith('node:internal/'));
}

// prepare is Error.prepareStackTrace: the platform's own frames are left out.
function prepare(error, sites) {
  let head;
  try {
    head = Error.prototype.toString.call(error);
  } catch {
    head = 'Error';
  }
  const lines = [];
  for (const site of sites) {
    if (hidden(site)) continue;
    const line = show(site);
    if (line !== null) lines.push(`\n    at ${line}`);
  }
  return head + lines.join('');
}

// place is where an error was raised: "index.js:3:5", or "" when unknown.
function place(stack) {
  const found = /\(?([\w./-]+\.(?:[cm]?[jt]s|json):\d+:\d+)\)?/.exec(String(stack));
  return found ? found[1] : '';
}

module.exports = { BUNDLE, setSourceMap, prepare, place };
