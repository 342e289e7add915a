// Page tables with hostile entries: random flags, reserved bits, superpages of every size, some
// of them misaligned. Every address space maps the same three gigapages at the same place:
//
//   0x4000_0000  bodies for U-mode: physical 0x8000_0000, readable and executable
//   0x8000_0000  everything for S-mode, at its physical address
//   0xc000_0000  level-1 table: page 0 leads to 4 KiB leaves, the next ones are 2 MiB leaves
//
// One set of tables below 0xc000_0000 is shared by the spaces of a mode, and may be global.
import { DATA, DATA_PAGES, STUB_PAGES, STUBS, TABLES } from "./monitor.ts";
import type { Random } from "./random.ts";

const V = 1n;
const R = 2n;
const W = 4n;
const X = 8n;
const U = 16n;
const G = 32n;
const A = 64n;
const D = 128n;

export interface Space {
  satp: bigint;
  levels: number;
  /** Virtual addresses of pages worth an access. */
  pages: bigint[];
  /** Physical address of the table of 4 KiB leaves, and its first virtual address. */
  leaves: number;
  window: bigint;
}

export const LEAVES = 32;

export class AddressSpaces {
  readonly spaces: Space[] = [];
  #next = TABLES;
  readonly #view: DataView;
  readonly #random: Random;

  constructor(view: DataView, random: Random) {
    this.#view = view;
    this.#random = random;
    let asid = 1n;
    for (const levels of [3, 4, 5]) {
      const shared = this.#window(true);
      for (let n = 0; n < 3; n++) this.spaces.push(this.#space(levels, asid++, shared));
    }
  }

  #table(): number {
    const at = this.#next;
    this.#next += 4096;
    if (this.#next > DATA) throw new Error("too many page tables");
    return at;
  }

  write(table: number, index: number, pte: bigint): void {
    this.#view.setBigUint64(table - 0x8000_0000 + 8 * index, BigInt.asUintN(64, pte), true);
  }

  #pointer(to: number): bigint {
    return ((BigInt(to) >> 12n) << 10n) | V;
  }

  /** A leaf's flags: mostly sensible, at times anything. */
  leaf(physical: number, global: boolean): bigint {
    const random = this.#random;
    let flags = V;
    for (const [bit, rarity] of [
      [R, 5],
      [W, 3],
      [X, 3],
      [A, 5],
      [D, 3],
    ] as const)
      if (!random.oneIn(rarity)) flags |= bit;
    if (random.oneIn(2)) flags |= U;
    if (global && random.oneIn(3)) flags |= G;
    if (random.oneIn(12)) flags &= ~V;
    // Bits 54 to 60 stay 0: QEMU 7.2 with Svnapot does not look at them. A test of their own does.
    if (random.oneIn(20)) flags |= 1n << BigInt(random.between(61, 62));
    if (random.oneIn(25)) flags |= 1n << 63n;
    flags |= BigInt(random.below(4)) << 8n; // RSW, the software's
    return ((BigInt(physical) >> 12n) << 10n) | flags;
  }

  physicalPage(): number {
    const random = this.#random;
    return random.oneIn(4) ? STUBS + 4096 * random.below(STUB_PAGES) : DATA + 4096 * random.below(DATA_PAGES);
  }

  /** The tables behind one gigapage. */
  #window(global: boolean): { level1: number; leaves: number } {
    const random = this.#random;
    const level1 = this.#table();
    const leaves = this.#table();
    this.write(level1, 0, this.#pointer(leaves));
    for (let n = 0; n < LEAVES; n++) this.write(leaves, n, this.leaf(this.physicalPage(), global));
    for (let n = 1; n < 6; n++) {
      const misaligned = random.oneIn(5) ? 4096 * (1 << random.below(9)) : 0;
      this.write(level1, n, this.leaf(DATA + misaligned, global) & ~(1n << 63n));
    }
    // Pointers that are none: A, D, U and the attribute bits are reserved in them.
    const wrong = [A, D, U, 1n << 61n, 1n << 62n, 1n << 63n, W];
    for (const [n, bit] of wrong.entries()) this.write(level1, 6 + n, this.#pointer(leaves) | bit);
    return { level1, leaves };
  }

  /**
   * A leaf above level 1, readable at least: without R, W and X it would be a pointer, and where no RAM is,
   * QEMU 7.2 calls that a page fault and not an access fault.
   */
  #gigantic(physical: number): bigint {
    return (this.leaf(physical, false) & ~(1n << 63n)) | R;
  }

  #space(levels: number, asid: bigint, shared: { level1: number; leaves: number }): Space {
    const own = this.#window(false);
    const level2 = this.#table();
    const gigapage = (0x8000_0000n >> 12n) << 10n;
    this.write(level2, 1, gigapage | V | R | X | U | A | D);
    this.write(level2, 2, gigapage | V | R | W | X | A | D);
    this.write(level2, 3, this.#pointer(shared.level1));
    this.write(level2, 4, this.#pointer(own.level1));
    this.write(level2, 5, this.#gigantic(0x8000_0000));
    this.write(level2, 6, this.#gigantic(0x8020_0000));
    this.write(level2, 7, this.#gigantic(0xc000_0000)); // nothing is there
    const window = this.#random.oneIn(2) ? { at: 3n << 30n, ...shared } : { at: 4n << 30n, ...own };
    const pages = [window.at, 3n << 30n, 4n << 30n].flatMap((at) => [
      ...Array.from({ length: LEAVES }, (_, n) => at + BigInt(n << 12)),
      ...Array.from({ length: 14 }, (_, n) => at + BigInt((n + 1) << 21) + BigInt(this.#random.below(16) << 12)),
    ]);
    const inData = BigInt(DATA - 0x8000_0000);
    pages.push((5n << 30n) + inData, (6n << 30n) + inData - 0x20_0000n, (7n << 30n) + inData, 0n, BigInt(DATA));
    let root = level2;
    for (let level = 3; level < levels; level++) {
      const above = this.#table();
      this.write(above, 0, this.#pointer(root));
      // Not writable: low addresses are the boot ROM's, where our stores fault and QEMU's vanish.
      this.write(above, 1, this.#gigantic(0) & ~W);
      this.write(above, 2, this.#gigantic(0x20_0000) & ~W);
      const size = 1n << BigInt(12 + 9 * level);
      pages.push(size + BigInt(DATA), 2n * size + BigInt(DATA));
      root = above;
    }
    // Not the sign extension of the highest translated bit.
    const top = 12n + 9n * BigInt(levels);
    pages.push(
      (1n << top) | window.at,
      (1n << 63n) | window.at,
      (1n << (top - 1n)) | window.at,
      -(1n << 12n),
      -(1n << 30n),
    );
    const satp = (BigInt(levels + 5) << 60n) | (asid << 44n) | BigInt(root >>> 12);
    return { satp, levels, pages, leaves: window.leaves, window: window.at };
  }
}

/**
 * Code to jump to: units of `addi a5, a5, k; ret`. The last one straddles the page's end; a page
 * begins with the second half of such an `addi` and the `ret` behind it.
 */
export function fillStubs(view: DataView): void {
  for (let page = 0; page < STUB_PAGES; page++) {
    const at = STUBS - 0x8000_0000 + 4096 * page;
    const addi = 0x0007_8793 | ((1 + page) << 20);
    const ret = 0x0000_8067;
    view.setUint16(at, addi >>> 16, true);
    view.setUint32(at + 2, ret, true);
    for (let unit = 6; unit < 4094; unit += 8) {
      view.setUint32(at + unit, addi, true);
      view.setUint32(at + unit + 4, ret, true);
    }
    view.setUint16(at + 4094, addi & 0xffff, true);
  }
}

/** Offsets in a stub page at which a unit begins. */
export const stubOffset = (random: Random) => 6 + 8 * (random.oneIn(3) ? 511 : random.below(512));

/**
 * A value whose bytes are all 100...00 in binary. Two of them in any order are a reserved
 * compressed instruction, so that a jump into data ends in a trap and not who knows where.
 */
export function harmless(random: Random): bigint {
  return (random.wide() & 0x1c1c_1c1c_1c1c_1c1cn) | 0x8080_8080_8080_8080n;
}

export function fillData(view: DataView, random: Random): void {
  for (let at = 0; at < DATA_PAGES * 4096; at += 8) view.setBigUint64(DATA - 0x8000_0000 + at, harmless(random), true);
}
