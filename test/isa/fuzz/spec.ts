// What a random program is, before it is laid out: functions of pieces, each some instructions and a way to go on, the
// contexts that it runs in, the edits of page tables and of code that it makes. Plain data whose parts refer to each
// other by number, so that a shrinking search can empty any part and leave the others as they are.
import { groups, type Item, isInteger, randomBlock, randomRegisters } from "../generator/blocks.ts";
import type { Random } from "../generator/random.ts";
import { BASES, type Registers } from "../generator/records.ts";
import { DATA, DATA_PAGES } from "./map.ts";

/** Registers that hold what keeps a program going: call stack, marker sum, next function, fuel. */
export const STACK = 8;
export const SUM = 25;
export const TURN = 26;
export const FUEL = 27;
const RESERVED = [STACK, SUM, TURN, FUEL];

export const enum Service {
  EXIT,
  CONTEXT,
  EDIT,
  PATCH,
  TIMER,
  FLOAT,
  IPI,
}

export type End =
  | { kind: "fall" }
  | { kind: "branch"; name: string; rs1: number; rs2: number; to: number }
  /** Back to a piece while the fuel's bits under the mask are not all 0. */
  | { kind: "loop"; mask: number; to: number }
  | { kind: "jump"; to: number }
  | { kind: "table"; via: number; index: number; to: number[] }
  | { kind: "call"; link: number; to: number; indirect: boolean }
  /** Calls a piece of the function's own, which returns elsewhere. */
  | { kind: "callPiece"; link: number; to: number }
  | { kind: "return" }
  /** Returns to a piece. */
  | { kind: "returnTo"; via: number; to: number }
  /** To the next instruction in the other window. */
  | { kind: "hop" }
  | { kind: "marker" }
  /** Rewrites a marker by a store of its own. */
  | { kind: "rewrite"; marker: number; fence: boolean }
  | { kind: "service"; service: Service; argument: number }
  | { kind: "base"; base: number; address: number }
  | { kind: "csr"; name: string; csr: number; rd: number; rs1: number }
  | { kind: "fence"; name: string; address: number };

export interface Piece {
  items: Item[];
  end: End;
}

export interface Routine {
  /** Bytes left before the end of its first page, or nothing: where the one before ended. */
  beforePageEnd?: number;
  pieces: Piece[];
}

export interface Space {
  levels: number;
  user: boolean;
  asid: number;
  /** Data pages of the other window, by the data page that they lead to. */
  permutation: number[];
  /** The other window is one superpage. */
  superpage: boolean;
  /** PTE flags that each data page lacks (and has, U), as hostile or not. */
  dataFlags: number[];
  codeFlags: number[];
}

export interface Context {
  mode: 0 | 1 | 3;
  /** Number of a space, or -1: no translation. */
  space: number;
  /** mstatus bits: SUM, MXR. */
  status: number;
  other: boolean;
}

export interface Edit {
  space: number;
  other: boolean;
  page: { data: number } | { code: number };
  /** For data: the page it leads to instead, and its flags. */
  to: number;
  flags: number;
  fence: 0 | 1 | 2;
}

export interface Spec {
  seed: number;
  group: string;
  /** With floating-point instructions. */
  float: boolean;
  harts: number;
  /** Compared with QEMU too: nothing in it depends on time. */
  portable: boolean;
  /** Few of its instructions trap. */
  calm: boolean;
  registers: Registers;
  /** The main loop goes from context to context. */
  switching: boolean;
  /** Address of the other window. */
  window: bigint;
  adue: boolean;
  fuel: number;
  virtualRate: number;
  /** Bytes of host memory for translated code. */
  codeCache: number;
  functions: Routine[];
  spaces: Space[];
  contexts: Context[];
  edits: Edit[];
  /** Steps that the interpreter does alone before anything is translated. */
  warmUp: number;
  /** Seed of the budgets that it runs by; 0: always one step, up to the end. */
  budgets: number;
}

/** Physically nothing is there, but for the last one: QEMU fetches instructions from PCI's empty window. */
const WINDOWS = [0x20_0000_0000n, -0x4000_0000n, 0xc000_0000n, 0x4000_0000n];
/** Where Sv39 does not reach. */
const FAR_WINDOWS = [0x7fff_c000_0000n, 0x1_0000_0000_0000n >> 2n, -0x4000_0000_0000n];
const BRANCHES = ["beq", "bne", "blt", "bge", "bltu", "bgeu"];
const OTHERS = [1, 3, 4, 5, 6, 7, 10, 11, 12, 13, 15, 16, 18, 22, 28, 31];

/** An item that leaves alone what the program needs. */
function fits(item: Item): boolean {
  return item.steps.every(({ row, operands }) => !(RESERVED.includes(operands.rd ?? 0) && isInteger(row, "rd")));
}

const FLOAT = /^(c\.)?f(?!ence)/;

function someItems({ group, calm, float }: Spec, random: Random, scratch: (offset: number) => bigint): Item[] {
  const block = randomBlock(group, random, scratch, (row) => float || !FLOAT.test(row.name));
  const items = block.items.filter((item) => fits(item) && !(calm && roundsOddly(item)));
  if (calm) items.forEach(align);
  return items.slice(0, random.oneIn(3) ? random.below(12) : random.below(5));
}

/** By a reserved mode, or by what a write to frm leaves. */
const roundsOddly = (item: Item) =>
  item.steps.some(
    ({ row, operands }) =>
      (row.fields.rm && (operands.rm === 5 || operands.rm === 6)) || (row.extension === "ZICSR" && operands.imm !== 1),
  );

/** Makes the addresses of atomics those of base registers, which are multiples of 8, plus such a multiple. */
function align({ steps }: Item): void {
  if (!steps.some(({ row }) => row.extension === "A")) return;
  for (const { row, operands } of steps) if (row.name === "addi") operands.imm = (operands.imm ?? 0) & -8;
}

function randomEnd(random: Random, spec: Spec, pieces: number, own: number): End {
  const anywhere = () => random.below(pieces);
  const forward = () => random.between(own + 1, pieces);
  switch (random.below(22)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return {
        kind: "branch",
        name: random.pick(BRANCHES),
        rs1: random.below(32),
        rs2: random.below(32),
        to: forward(),
      };
    case 4:
    case 5:
    case 6:
      return { kind: "loop", mask: (1 << random.between(1, 5)) - 1, to: random.between(0, own) };
    case 7:
      return { kind: "jump", to: forward() };
    case 8:
    case 9: {
      const to = Array.from({ length: 1 << random.between(1, 4) }, anywhere);
      return { kind: "table", via: random.pick([7, 10, 28, 7, 5]), index: random.pick([FUEL, SUM, 10, 12]), to };
    }
    case 10:
    case 11: {
      const link = random.oneIn(8) ? random.pick([5, 6, 10]) : 1;
      return { kind: "call", link, to: random.below(spec.functions.length + 1), indirect: random.oneIn(3) };
    }
    case 12:
      return { kind: "callPiece", link: random.pick([1, 1, 5, 7]), to: anywhere() };
    case 13:
      return random.oneIn(3) ? { kind: "return" } : { kind: "returnTo", via: random.pick([1, 5]), to: anywhere() };
    case 14:
      return spec.spaces.length > 0 ? { kind: "hop" } : { kind: "marker" };
    case 15:
      return { kind: "marker" };
    case 16:
      return random.oneIn(3)
        ? { kind: "rewrite", marker: random.below(64), fence: random.oneIn(2) }
        : { kind: "service", service: Service.PATCH, argument: random.below(64) };
    case 17:
      return { kind: "service", service: Service.CONTEXT, argument: random.below(16) };
    case 18:
      return {
        kind: "service",
        service: random.oneIn(2) ? Service.EDIT : Service.FLOAT,
        argument: random.oneIn(2) ? 3 : random.below(16),
      };
    case 19:
      return { kind: "base", base: random.pick(BASES), address: someAddress(random, spec) };
    case 20: {
      const csr = random.pick(
        spec.portable
          ? [1, 2, 3]
          : spec.calm
            ? [1, 2, 3, 0xc00, 0xc01, 0xc02]
            : [1, 2, 3, 0xc00, 0xc01, 0xc02, 0x100, 0x300],
      );
      const rs1 = csr < 4 && random.oneIn(2) ? random.below(32) : 0;
      return { kind: "csr", name: "csrrs", csr, rd: random.pick(OTHERS), rs1 };
    }
    default:
      if (spec.portable || random.oneIn(3)) return { kind: "fence", name: "fence.i", address: 0 };
      if (random.oneIn(2)) return { kind: "fence", name: "sfence.vma", address: random.below(2) };
      return { kind: "service", service: random.oneIn(3) ? Service.IPI : Service.TIMER, argument: random.below(64) };
  }
}

/** Where a base register may point: data, often near a page's end; its other window; a device; nothing. */
function someAddress(random: Random, spec: Spec): number {
  const page = random.below(DATA_PAGES - 2) + 1;
  const offset = random.oneIn(2) ? 4096 - random.between(1, 16) : random.below(512) * 8;
  if (spec.calm || !random.oneIn(8)) return DATA + page * 4096 + (random.oneIn(4) && !spec.calm ? offset : offset & -8);
  return random.pick([0x1000_0100, 0x0200_bff8, 0x4000_0000, 0x0c00_0200, 0x8fff_fff8, 0]);
}

function randomSpace(random: Random, spec: Spec, far: boolean): Space {
  const hostile = !spec.calm && random.oneIn(2);
  const some = (rarity: number, bits: number[]) =>
    hostile ? bits.reduce((flags, bit) => (random.oneIn(rarity) ? flags | bit : flags), 0) : 0;
  return {
    levels: random.pick(far ? [4, 5] : [3, 4, 5]),
    user: random.oneIn(2),
    asid: random.below(4),
    permutation: Array.from({ length: DATA_PAGES }, () => random.below(DATA_PAGES)),
    superpage: random.oneIn(5),
    dataFlags: Array.from({ length: DATA_PAGES }, () => some(8, [2, 4, 16, 64, 128, 1])),
    codeFlags: Array.from({ length: 64 }, () => some(16, spec.adue ? [4, 64, 128] : [4])),
  };
}

/** The program that `seed` names. */
export function randomSpec(seed: number, random: Random, portable: boolean): Spec {
  const float = random.oneIn(2);
  const calm = portable || random.oneIn(2);
  const names = Object.keys(groups).filter((name) => float || (name !== "F" && name !== "D"));
  const base = (offset: number) => BigInt(DATA + 2 * 4096 + offset);
  const registers = randomRegisters(random, base);
  if (!random.oneIn(8)) registers.fs = 3;
  if (!random.oneIn(4)) registers.fcsr |= 1n;
  if (calm || !random.oneIn(4)) registers.fcsr &= 31n;
  const far = random.oneIn(4);
  const spec: Spec = {
    seed,
    group: random.oneIn(2) ? "all" : random.pick(names),
    float,
    harts: portable || !random.oneIn(4) ? 1 : 2,
    portable,
    calm,
    registers,
    switching: random.oneIn(3),
    window: random.pick(far ? FAR_WINDOWS : portable ? WINDOWS.slice(0, 3) : WINDOWS),
    adue: random.oneIn(2) || portable,
    fuel: random.between(50, 1800),
    virtualRate: random.pick([1, 3, 10, 50]),
    codeCache: random.pick([16 << 20, 16 << 20, 16 << 20, 200_000, 20_000]),
    functions: [],
    spaces: [],
    contexts: [],
    edits: [],
    warmUp: random.oneIn(3) ? 0 : random.between(100, 4000),
    budgets: random.word() | 1,
  };
  const spaces = random.oneIn(3) ? 0 : random.between(1, 4);
  for (let n = 0; n < spaces; n++) spec.spaces.push(randomSpace(random, spec, far));
  const contexts = random.between(1, 5);
  for (let n = 0; n < contexts; n++) {
    const space = random.oneIn(4) ? -1 : random.below(spaces);
    const mode = spaces === 0 || space < 0 ? random.pick([0, 1, 3] as const) : spec.spaces[space].user ? 0 : 1;
    const status = (random.oneIn(2) ? 1 << 18 : 0) | (random.oneIn(3) && !calm ? 1 << 19 : 0);
    spec.contexts.push({ mode, space: spaces === 0 ? -1 : space, status, other: random.oneIn(2) });
  }
  const edits = spaces === 0 ? 0 : random.between(0, 6);
  for (let n = 0; n < edits; n++) {
    const code = spec.harts === 1 && random.oneIn(2);
    spec.edits.push({
      space: random.below(spaces),
      other: random.oneIn(2),
      page: code ? { code: random.below(24) } : { data: random.below(DATA_PAGES) },
      to: random.below(DATA_PAGES),
      flags: !calm && random.oneIn(3) ? random.pick([1, 2, 4, 16, 64, 128]) : 0,
      fence: random.pick([0, 1, 2] as const),
    });
  }
  const functions = random.between(2, 8);
  for (let n = 0; n < functions; n++) {
    const count = random.between(3, 18);
    const pieces = Array.from({ length: count }, (_, own) => ({
      items: someItems(spec, random, base),
      end: randomEnd(random, spec, count, own),
    }));
    spec.functions.push({ beforePageEnd: random.oneIn(2) ? undefined : 2 * random.between(4, 200), pieces });
  }
  return spec;
}
