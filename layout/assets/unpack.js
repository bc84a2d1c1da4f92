"use strict";
/* The data of a large county lie in the page deflated (RFC 1951); they are put back before anything is drawn. */

function unpackPlan(id) {
  const node = document.getElementById(id), packed = JSON.parse(node.textContent), raw = atob(packed.deflated);
  const source = Uint8Array.from(raw, (letter) => letter.charCodeAt(0)), out = new Uint8Array(packed.size);
  const LENGTHS = [], DISTANCES = [], ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  for (let i = 0, base = 3; i < 28; base += 1 << LENGTHS[i++][1]) LENGTHS.push([base, i < 8 ? 0 : (i >> 2) - 1]);
  LENGTHS.push([258, 0]);
  for (let i = 0, base = 1; i < 30; base += 1 << DISTANCES[i++][1]) DISTANCES.push([base, i < 4 ? 0 : (i >> 1) - 1]);
  let at = 0, hold = 0, held = 0, end = 0;
  const fill = (n) => {
    while (held < n) {
      hold |= source[at++] << held;
      held += 8;
    }
  };
  const take = (n) => {
    if (!n) return 0;
    fill(n);
    const value = hold & ((1 << n) - 1);
    hold >>>= n;
    held -= n;
    return value;
  };
  // by the next bits, as many as the longest code has: the symbol, and how many of the bits are its code
  const table = (lengths) => {
    const wide = Math.max(...lengths, 1), entries = new Uint16Array(1 << wide), next = new Uint16Array(17), count = new Uint16Array(17);
    for (const n of lengths) if (n) count[n]++;
    for (let n = 1; n < 16; n++) next[n + 1] = (next[n] + count[n]) << 1;
    lengths.forEach((n, symbol) => {
      if (!n) return;
      let turned = 0;
      for (let i = 0, code = next[n]++; i < n; i++, code >>= 1) turned = (turned << 1) | (code & 1);
      for (let k = turned; k < entries.length; k += 1 << n) entries[k] = (symbol << 4) | n;
    });
    return { wide, entries };
  };
  const read = ({ wide, entries }) => {
    while (held < wide && at < source.length) {
      hold |= source[at++] << held;
      held += 8;
    }
    const entry = entries[hold & ((1 << wide) - 1)], n = entry & 15;
    if (!n) throw new Error("no such code");
    hold >>>= n;
    held -= n;
    return entry >> 4;
  };
  for (let last = 0; !last; ) {
    last = take(1);
    const kind = take(2);
    if (kind === 0) {
      take(held & 7);
      const length = take(16);
      take(16);
      for (let i = 0; i < length; i++) out[end++] = take(8);
      continue;
    }
    let literal, distance;
    if (kind === 1) [literal, distance] = [table([...Array(144).fill(8), ...Array(112).fill(9), ...Array(24).fill(7), ...Array(8).fill(8)]), table(Array(30).fill(5))];
    else {
      const literals = take(5) + 257, distances = take(5) + 1, given = take(4) + 4, lengths = Array(19).fill(0), all = [];
      for (let i = 0; i < given; i++) lengths[ORDER[i]] = take(3);
      const codes = table(lengths);
      while (all.length < literals + distances) {
        const symbol = read(codes);
        if (symbol < 16) all.push(symbol);
        else for (let value = symbol === 16 ? all[all.length - 1] : 0, n = symbol === 16 ? 3 + take(2) : symbol === 17 ? 3 + take(3) : 11 + take(7); n; n--) all.push(value);
      }
      [literal, distance] = [table(all.slice(0, literals)), table(all.slice(literals))];
    }
    for (let symbol = read(literal); symbol !== 256; symbol = read(literal)) {
      if (symbol < 256) {
        out[end++] = symbol;
        continue;
      }
      const [base, extra] = LENGTHS[symbol - 257], length = base + take(extra), [far, more] = DISTANCES[read(distance)];
      for (let from = end - far - take(more), stop = end + length; end < stop; ) out[end++] = out[from++];
    }
  }
  node.textContent = new TextDecoder().decode(out);
}
