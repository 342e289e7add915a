// Page tables of a fuzz program's spaces. Each maps the program twice: at its physical address, and in the other window,
// where data pages are permuted, or all of it is one superpage.
import { CODE, CODE_PAGES, DATA, DATA_PAGES, PAGE_TABLES, RAM } from "./map.ts";
import type { Space, Spec } from "./spec.ts";

const [V, R, W, X, U, A, D] = [1, 2, 4, 8, 16, 64, 128];

export interface Root {
  satp: bigint;
  /** Addresses of the tables of leaves; 0 where there is none. */
  own: number;
  other: number;
}

export function leafFor(physical: number, user: boolean, lacks: number, executable: boolean): bigint {
  const all = V | R | W | A | D | (executable ? X : 0);
  const flags = lacks & U ? all ^ (user ? 0 : U) : all | (user ? U : 0);
  return BigInt((physical >>> 12) * 1024 + (flags & ~(lacks & ~U)));
}

/** Address of the leaf of page `page` of a window. */
export function leafAddress(root: Root, other: boolean, page: number): number {
  const table = other ? root.other : root.own;
  return table === 0 ? 0 : table + 8 * page;
}

export function buildSpaces(view: DataView, spec: Spec): Root[] {
  let next = PAGE_TABLES;
  const table = () => {
    next += 4096;
    return next - 4096;
  };
  const write = (at: number, index: number, pte: bigint) => view.setBigUint64(at - RAM + 8 * index, pte, true);

  /** The entry of a table of `level` for `va`, with the tables above it. */
  const entry = (root: number, levels: number, va: bigint, level: number): [number, number] => {
    let at = root;
    for (let n = levels - 1; n > level; n--) {
      const index = Number((va >> BigInt(12 + 9 * n)) & 511n);
      const pte = view.getBigUint64(at - RAM + 8 * index, true);
      if (pte !== 0n) at = Number(pte >> 10n) * 4096;
      else {
        const below = table();
        write(at, index, BigInt((below >>> 12) * 1024 + V));
        at = below;
      }
    }
    return [at, Number((va >> BigInt(12 + 9 * level)) & 511n)];
  };

  const fill = (leaves: number, space: Space, other: boolean) => {
    for (let page = 0; page < 256; page++) {
      const physical = RAM + 4096 * page;
      const data = page - (DATA - RAM) / 4096;
      const code = page - (CODE - RAM) / 4096;
      if (data >= 0 && data < DATA_PAGES) {
        const to = other ? space.permutation[data] : data;
        write(leaves, page, leafFor(DATA + 4096 * to, space.user, space.dataFlags[data], false));
      } else if (code >= 0 && code < CODE_PAGES) {
        write(leaves, page, leafFor(physical, space.user, space.codeFlags[code], true));
      } else if (page >= 8 && page < 32) write(leaves, page, leafFor(physical, space.user, 0, false)); // call stacks
    }
  };

  return spec.spaces.map((space) => {
    const root = table();
    const [at, index] = entry(root, space.levels, BigInt(RAM), 1);
    const own = table();
    write(at, index, BigInt((own >>> 12) * 1024 + V));
    fill(own, space, false);
    const [otherAt, otherIndex] = entry(root, space.levels, spec.window, 1);
    let other = 0;
    if (space.superpage) write(otherAt, otherIndex, leafFor(RAM, space.user, 0, true));
    else {
      other = table();
      write(otherAt, otherIndex, BigInt((other >>> 12) * 1024 + V));
      fill(other, space, true);
    }
    const satp = (BigInt(space.levels + 5) << 60n) | (BigInt(space.asid) << 44n) | BigInt(root >>> 12);
    return { satp, own, other };
  });
}
