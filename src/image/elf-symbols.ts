// The symbol table of an ELF file (System V ABI, chapter 4): names for addresses in crash
// reports. A file without one, or with a damaged one, simply has no names.
import { isElf } from "./elf.ts";

/** Addresses in halves, ascending, and a name each: what inspect.setSymbols takes. */
export interface Symbols {
  low: Uint32Array;
  high: Uint32Array;
  names: string[];
}

const SYMBOL_SIZE = 24;
const SECTION_SIZE = 64;
const SHT_SYMTAB = 2;
const STT_NOTYPE = 0;
const STT_FUNC = 2;
/** More than any kernel has; a hostile file gets no further. */
const MOST_SYMBOLS = 1 << 20;
const MOST_NAME = 256;

interface Section {
  type: number;
  offset: number;
  size: number;
  link: number;
}

function sections(view: DataView): Section[] {
  const at = Number(view.getBigUint64(40, true));
  const size = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  if (size < SECTION_SIZE || at + size * count > view.byteLength) return [];
  return Array.from({ length: count }, (_, i) => {
    const header = at + i * size;
    return {
      type: view.getUint32(header + 4, true),
      offset: Number(view.getBigUint64(header + 24, true)),
      size: Number(view.getBigUint64(header + 32, true)),
      link: view.getUint32(header + 40, true),
    };
  }).map((it) => (it.offset + it.size <= view.byteLength ? it : { ...it, size: 0 }));
}

function nameAt(strings: Uint8Array, offset: number): string {
  const end = strings.subarray(offset, offset + MOST_NAME).indexOf(0);
  return end < 0 ? "" : new TextDecoder().decode(strings.subarray(offset, offset + end));
}

/** Functions and labels of ELF file `bytes`, or undefined if it names none. */
export function readSymbols(bytes: Uint8Array): Symbols | undefined {
  if (!isElf(bytes) || bytes.length < SECTION_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = sections(view);
  const table = all.find(({ type }) => type === SHT_SYMTAB);
  const text = table && all[table.link];
  if (!table || !text) return undefined;
  const strings = bytes.subarray(text.offset, text.offset + text.size);
  const found: { address: bigint; name: string }[] = [];
  const count = Math.min(Math.floor(table.size / SYMBOL_SIZE), MOST_SYMBOLS);
  for (let i = 1; i < count; i++) {
    const at = table.offset + i * SYMBOL_SIZE;
    const type = view.getUint8(at + 4) & 15;
    const defined = view.getUint16(at + 6, true) !== 0;
    if (!defined || (type !== STT_FUNC && type !== STT_NOTYPE)) continue;
    const name = nameAt(strings, view.getUint32(at, true));
    // `$x` and `.L` mark code for tools; people do not call them names.
    if (name === "" || name.startsWith("$") || name.startsWith(".L")) continue;
    found.push({ address: view.getBigUint64(at + 8, true), name });
  }
  if (found.length === 0) return undefined;
  found.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return {
    low: Uint32Array.from(found, ({ address }) => Number(address & 0xffff_ffffn)),
    high: Uint32Array.from(found, ({ address }) => Number(address >> 32n)),
    names: found.map(({ name }) => name),
  };
}
