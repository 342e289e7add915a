// A symbol table: sorted addresses and their names, as /proc/kallsyms or an ELF gives them.
let addresses: u64[] = [];
let symbols: string[] = [];

/**
 * Replaces the table. Addresses come as low and high halves, ascending, one name each;
 * arrays of unequal length are cut to the shortest. Returns how many symbols there are.
 */
export function setSymbols(low: Uint32Array, high: Uint32Array, names: string[]): u32 {
  const count = min(min(low.length, high.length), names.length);
  addresses = new Array<u64>(count);
  for (let i = 0; i < count; i++) addresses[i] = <u64>low[i] | (<u64>high[i] << 32);
  symbols = names.slice(0, count);
  return count;
}

/** `name+0x12` of the last symbol at or below the address, or "" if there is none. */
export function symbolize(low: u32, high: u32): string {
  const at = <u64>low | (<u64>high << 32);
  let from = 0;
  let end = addresses.length;
  while (from < end) {
    const middle = (from + end) >>> 1;
    if (addresses[middle] <= at) from = middle + 1;
    else end = middle;
  }
  if (from == 0) return "";
  const offset = at - addresses[from - 1];
  return offset == 0 ? symbols[from - 1] : symbols[from - 1] + "+0x" + offset.toString(16);
}
