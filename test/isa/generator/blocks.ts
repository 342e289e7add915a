// Random instruction sequences. A block is a list of items: one instruction, or a few that
// belong together (an LR with its SC). Branches say how many items they skip, so that a block
// stays meaningful when a shrinking search takes items out.
import { encodeRow, type Operands } from "../../../src/isa/encode.ts";
import type { Compressed, Instruction } from "../../../src/isa/extension.ts";
import { compressedInstructions, instructions } from "../../../src/isa/table.ts";
import { specials } from "../fp/operands.ts";
import type { Random } from "./random.ts";
import { BASES, type Registers, SCRATCH_BEFORE } from "./records.ts";

type Row = Instruction | Compressed;

interface Step {
  row: Row;
  operands: Operands;
  /** This immediate becomes the distance from the item's start to its target. */
  aims?: boolean;
}

export interface Item {
  steps: Step[];
  /** Items that the jump at the end of this one leaves out. */
  skip?: number;
}

export interface Block {
  items: Item[];
  registers: Registers;
  /** 0 user mode, 3 machine mode. */
  mode: 0 | 3;
  /** Bytes before a page's end at which to place the code, or undefined: anywhere. */
  beforePageEnd?: number;
}

const rows = new Map<string, Row>([...instructions, ...compressedInstructions].map((row) => [row.name, row]));
const row = (name: string) => rows.get(name)!;

/** What a group of blocks draws its instructions from. */
export const groups: Record<string, readonly Row[]> = (() => {
  const of = (...extensions: string[]) =>
    instructions.filter((i) => extensions.includes(i.extension) && i.kind !== "system");
  const plain = of("I");
  const narrow = compressedInstructions.filter((c) => c.name !== "c.ebreak");
  const float = instructions.filter((i) => i.extension === "ZICSR" || i.extension === "ZIFENCEI");
  return {
    I: [...plain, row("fence.i")],
    M: [...of("M"), ...of("M"), ...plain],
    A: [...of("A"), ...plain.filter((i) => i.kind === "memory")],
    F: [...of("F"), ...of("F"), ...float, ...plain.filter((i) => i.kind === "memory")],
    D: [...of("D"), ...of("F", "D"), ...float],
    C: [...narrow, ...narrow, ...of("I", "F", "D")],
    Zba: [...of("ZBA"), ...of("ZBA"), ...plain],
    Zbb: [...of("ZBB"), ...of("ZBB"), ...plain],
    Zbs: [...of("ZBS"), ...of("ZBS"), ...plain],
    all: [...of("I", "M", "A", "F", "D", "ZBA", "ZBB", "ZBS"), ...narrow, ...float],
  };
})();

/** An integer of the kinds that find mistakes. */
export function hardInteger(random: Random): bigint {
  switch (random.below(6)) {
    case 0:
      return BigInt(random.between(-4, 70));
    case 1:
      return (1n << BigInt(random.below(64))) + BigInt(random.between(-2, 2));
    case 2:
      return BigInt.asUintN(64, BigInt(random.word() | 0));
    case 3:
      return random.pick(specials.x);
    case 4:
      return BigInt(random.word());
    default:
      return random.wide();
  }
}

/** A floating-point register: doubles, boxed singles, and a few singles without their box. */
function hardFloat(random: Random): bigint {
  const single = random.oneIn(3) ? BigInt(random.word()) : random.pick(specials.s);
  switch (random.below(6)) {
    case 0:
    case 1:
      return random.pick(specials.d);
    case 2:
    case 3:
      return 0xffff_ffff_0000_0000n | single;
    case 4:
      return random.oneIn(2) ? single : (BigInt(random.word()) << 32n) | single;
    default:
      return random.wide();
  }
}

export function randomRegisters(random: Random, scratch: (offset: number) => bigint): Registers {
  const x = Array.from({ length: 32 }, () => BigInt.asUintN(64, hardInteger(random)));
  const f = Array.from({ length: 32 }, () => hardFloat(random));
  const offsets = BASES.map(() => SCRATCH_BEFORE + (random.oneIn(3) ? random.below(8) : 0));
  BASES.forEach((base, n) => {
    x[base] = scratch(offsets[n]);
  });
  const rm = random.oneIn(12) ? random.between(5, 7) : random.below(5);
  return { x, f, offsets, fcsr: BigInt((rm << 5) | random.below(32)), fs: random.oneIn(4) ? random.between(0, 2) : 3 };
}

/** A register that items may write: not one of the bases. */
function target(random: Random, narrow: boolean): number {
  while (true) {
    const n = narrow ? random.between(8, 15) : random.below(32);
    if (!BASES.includes(n)) return n;
  }
}

function base(random: Random, narrow: boolean): number {
  return random.pick(BASES.filter((b) => !narrow || b >= 8));
}

export const isInteger = (of: Row, register: "rd" | "rs1" | "rs2") => {
  const whole = "base" in of ? (row(of.base) as Instruction) : (of as Instruction);
  return !new RegExp(`\\bf${register.slice(1)}\\b`).test(whole.operands.join(" "));
};

/** Operands with random registers and immediates; destinations spare the bases. */
function operandsFor(of: Row, random: Random): Operands {
  const o: Operands = {};
  for (const [key, field] of Object.entries(of.fields)) {
    o[key as keyof Operands] = random.below(1 << field.width) + field.plus;
  }
  const { rd } = of.fields;
  if (rd && isInteger(of, "rd")) o.rd = target(random, rd.plus !== 0);
  if (rd && rd.shift === of.fields.rs1?.shift) o.rs1 = o.rd;
  if (of.fields.rm) o.rm = random.oneIn(3) ? 7 : random.oneIn(40) ? random.between(5, 6) : random.below(5);
  if (of.immediate) o.imm = randomImmediate(of, random);
  return o;
}

function randomImmediate(of: Row, random: Random): number {
  const { signed, parts, bits } = of.immediate!;
  let value = 0n;
  for (const { to, width } of parts) {
    const all = (1n << BigInt(width)) - 1n;
    value |= (random.oneIn(6) ? (random.oneIn(2) ? 0n : all) : random.wide() & all) << BigInt(to);
  }
  return Number(signed ? BigInt.asIntN(bits, value) : value);
}

const FLOAT_CSRS = [1, 2, 3];

/** One random item made from `of`, or undefined if these operands are reserved. */
function itemFrom(of: Row, random: Random, registers: Registers): Item | undefined {
  const whole = ("base" in of ? row(of.base) : of) as Instruction;
  const operands = operandsFor(of, random);
  if (of.name === "c.addi16sp") return stackAdjustment(of, operands);
  if (of.name === "ctzw") return countTrailingZeros(operands);
  const one = (aims = false): Item => ({ steps: [{ row: of, operands, aims }] });
  switch (whole.kind) {
    case "memory":
    case "float-memory": {
      const narrow = "base" in of;
      if (narrow && of.fixed.rs1 === 2) operands.rs1 = undefined;
      else operands.rs1 = base(random, narrow);
      if (!narrow) operands.imm = random.between(-SCRATCH_BEFORE, SCRATCH_BEFORE - 8);
      if (of.fields.rs1 === undefined) delete operands.rs1;
      return one();
    }
    case "branch":
    case "jal":
      return { ...one(true), skip: random.below(6) };
    case "jalr":
      return jumpRegister(of, operands, random);
    case "atomic":
      return atomic(of, operands, random, registers);
    case "system":
      if (of.extension === "ZICSR") operands.imm = random.pick(FLOAT_CSRS);
      return one();
    default:
      return one();
  }
}

/** The one instruction that must write sp, a base: saved before, looked at and restored after. */
function stackAdjustment(of: Row, operands: Operands): Item {
  const move = (rd: number, rs1: number): Step => ({ row: row("addi"), operands: { rd, rs1, imm: 0 } });
  return { steps: [move(30, 2), { row: of, operands }, move(31, 2), move(2, 30)] };
}

/** QEMU 7.2's ctzw looks beyond the low word where that is 0, so its upper half is made a copy of the sign first. */
function countTrailingZeros(operands: Operands): Item {
  const extend: Step = { row: row("addiw"), operands: { rd: 30, rs1: operands.rs1, imm: 0 } };
  return { steps: [extend, { row: row("ctzw"), operands: { ...operands, rs1: 30 } }] };
}

/** auipc, then a jump to it plus what is skipped; sometimes through an odd address, whose bit 0 is dropped. */
function jumpRegister(of: Row, operands: Operands, random: Random): Item {
  const via = random.pick([1, 5, 6, 7, 10, 31]);
  const steps: Step[] = [{ row: row("auipc"), operands: { rd: via, imm: 0 } }];
  operands.rs1 = via;
  if ("base" in of)
    steps.push({ row: row("addi"), operands: { rd: via, rs1: via }, aims: true }, { row: of, operands });
  else steps.push({ row: of, operands, aims: true });
  return { steps, skip: random.below(6) };
}

function atomic(of: Row, operands: Operands, random: Random, registers: Registers): Item {
  const size = of.name.endsWith(".w") ? 4 : 8;
  const n = random.below(BASES.length);
  const at = random.pick([5, 6, 7, 28]);
  // An offset that makes the address aligned whatever the base is.
  const aligned = () => {
    const from = random.between(-SCRATCH_BEFORE, SCRATCH_BEFORE - 16) + registers.offsets[n];
    return Math.ceil(from / size) * size - registers.offsets[n];
  };
  const offset = aligned();
  const address = (imm: number): Step => ({ row: row("addi"), operands: { rd: at, rs1: BASES[n], imm } });
  const here: Operands = { ...operands, rs1: at };
  if (of.name.startsWith("lr")) return { steps: [address(offset), { row: of, operands: here }] };
  if (!of.name.startsWith("sc")) {
    // Misaligned atomics trap; the trap is part of what is compared.
    const trap = random.oneIn(12) ? random.between(1, size - 1) : 0;
    return { steps: [address(offset + trap), { row: of, operands: here }] };
  }
  // SC after an LR of the same place, of another place, or after a store to it.
  const reserve: Step = { row: row(`lr.${of.name.slice(3)}`), operands: { rd: target(random, false), rs1: at } };
  if (reserve.operands.rd === at) reserve.operands.rd = 0;
  const steps = [address(offset), reserve];
  const between = random.below(5);
  if (between === 0) steps.push(address(aligned()));
  else if (between === 1) steps.push({ row: row("sw"), operands: { rs1: at, rs2: random.below(32), imm: 0 } });
  return { steps: [...steps, { row: of, operands: here }] };
}

export function randomBlock(
  group: string,
  random: Random,
  scratch: (offset: number) => bigint,
  allowed: (row: Row) => boolean = () => true,
): Block {
  const registers = randomRegisters(random, scratch);
  const list = groups[group].filter(allowed);
  const items: Item[] = [];
  const count = random.between(8, 40);
  while (items.length < count) {
    const item = itemFrom(random.pick(list), random, registers);
    if (item && encodable(item)) items.push(item);
  }
  return { items, registers, mode: random.oneIn(2) ? 0 : 3 };
}

/** False if a compressed encoding with these operands is another instruction or reserved. */
function encodable(item: Item): boolean {
  return item.steps.every(({ row: of, operands }) => {
    if (!("base" in of)) return true;
    const word = encodeRow(of, { ...operands, imm: of.immediate ? (operands.imm ?? 0) : undefined });
    return recognize(word) === of;
  });
}

/** The compressed row that the decoder's rule (first match wins) gives a word. */
function recognize(word: number): Compressed | undefined {
  return compressedInstructions.find((c) => {
    if ((word & c.mask) >>> 0 !== c.match) return false;
    if (c.nonZero === undefined) return true;
    if (c.nonZero === "imm") return c.immediate!.parts.some((p) => (word >> p.from) & ((1 << p.width) - 1));
    const field = c.fields[c.nonZero]!;
    return ((word >> field.shift) & ((1 << field.width) - 1)) !== 0;
  });
}

const sizeOf = (item: Item) => item.steps.reduce((sum, step) => sum + step.row.length, 0);

/** The instruction words of a block. */
export function assemble(items: readonly Item[]): { word: number; length: 2 | 4 }[] {
  const starts = [0];
  for (const item of items) starts.push(starts.at(-1)! + sizeOf(item));
  return items.flatMap((item, i) => {
    const aim = starts[Math.min(items.length, i + 1 + (item.skip ?? 0))] - starts[i];
    return item.steps.map(({ row: of, operands, aims }) => {
      const word = encodeRow(of, aims ? { ...operands, imm: aim } : operands);
      return { word, length: of.length };
    });
  });
}
