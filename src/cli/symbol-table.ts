// Names for addresses and addresses for names, from an ELF file or from the guest's own kernel.
import type { Symbols } from "../image/elf-symbols.ts";

export interface SymbolRange {
  start: bigint;
  /** Where the next symbol begins. */
  end: bigint;
}

/** An address further behind its symbol than this is something else's, which has no name. */
const MOST_OFFSET = 0x10_0000n;

export class SymbolTable {
  /** Ascending. */
  readonly #addresses: bigint[];
  readonly #names: string[];

  private constructor(found: { address: bigint; name: string }[]) {
    found.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    this.#addresses = found.map(({ address }) => address);
    this.#names = found.map(({ name }) => name);
  }

  static readonly empty = new SymbolTable([]);

  static fromElf({ low, high, names }: Symbols): SymbolTable {
    return new SymbolTable(names.map((name, n) => ({ address: (BigInt(high[n]) << 32n) | BigInt(low[n]), name })));
  }

  /** From the text of /proc/kallsyms: `ffffffff80000000 T _start`, modules in brackets behind that. Code alone. */
  static fromKallsyms(text: string): SymbolTable {
    const lines = text.matchAll(/^([0-9a-f]{16}) [tTwW] (\S+)/gm);
    return new SymbolTable([...lines].map(([, address, name]) => ({ address: BigInt(`0x${address}`), name })));
  }

  get size(): number {
    return this.#names.length;
  }

  /** The first symbol of this name. */
  find(name: string): SymbolRange | undefined {
    const n = this.#names.indexOf(name);
    if (n < 0) return undefined;
    const start = this.#addresses[n];
    const end = this.#addresses.slice(n).find((address) => address > start);
    return { start, end: end ?? start + MOST_OFFSET };
  }

  /** `name+0x12` of the last symbol at or below the address, or "". */
  nameOf(address: bigint): string {
    let from = 0;
    let end = this.#addresses.length;
    while (from < end) {
      const middle = (from + end) >>> 1;
      if (this.#addresses[middle] <= address) from = middle + 1;
      else end = middle;
    }
    if (from === 0) return "";
    const offset = address - this.#addresses[from - 1];
    if (offset >= MOST_OFFSET) return "";
    return offset === 0n ? this.#names[from - 1] : `${this.#names[from - 1]}+0x${offset.toString(16)}`;
  }
}
