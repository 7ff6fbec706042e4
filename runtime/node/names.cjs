'use strict';
// Names resolve in the server, when it opens a connection. A library that
// looks one up first gets an address that no host has, by which the
// connection it then asks for is traced back to the name.

const { nextTick } = process;

const KEPT = 4096; // names
const ADDRESSES = 0x1fffe; // 198.18.0.0/15, kept free for tests by RFC 2544
const NO_NAME = -3008; // libuv's UV_EAI_NONAME

// Module dns takes this function from the binding when it is loaded, which it
// is not yet, and checks itself what it is given.
const cares = process.binding('cares_wrap');
if (typeof cares.getaddrinfo !== 'function' || process.moduleLoadList.includes('NativeModule dns')) {
  throw new Error(`Node ${process.version} resolves names in another way than functions need to make calls; use a build that runtime/node/package.json pins`);
}

const own = '198.18.0.1'; // the worker's own end

const addresses = new Map(); // by name, the longest unused first
const hosts = new Map(); // names by address
let last = 1;

function addressOf(name) {
  let address = addresses.get(name);
  if (address !== undefined) {
    addresses.delete(name);
  } else {
    if (addresses.size === KEPT) forget(addresses.keys().next().value);
    last = last % ADDRESSES + 1;
    if (last === 1) last++; // that is own
    address = `198.${18 + (last >>> 16)}.${last >>> 8 & 255}.${last & 255}`;
    hosts.set(address, name);
  }
  addresses.set(name, address);
  return address;
}

function forget(name) {
  hosts.delete(addresses.get(name));
  addresses.delete(name);
}

const nameOf = (address) => hosts.get(address);

// install answers the lookups of module dns.
function install() {
  cares.getaddrinfo = (request, name, family) => {
    if (family === 6) nextTick(() => request.oncomplete(NO_NAME));
    else nextTick(() => request.oncomplete(null, [name === 'localhost' ? '127.0.0.1' : addressOf(name)]));
    return 0;
  };
}

module.exports = { NO_NAME, own, addressOf, nameOf, install };
