// The notation of the instruction table. One row a line, four columns:
//
//   name  encoding | immediate | operands | kind
//
// Encoding: most significant bit first; 0 and 1 are fixed, letters are fields:
//   d rd   a rs1   b rs2   c rs3   m rounding mode   i immediate   u 5-bit uimm   . ignored
// Immediate: s (sign-extended) or u, then which bits of the immediate the `i` bits
// are, in the manual's own notation ("s12,10:5,4:1,11").
// Operands: assembly text; a name that starts with f is a floating-point register.
// Kind: how the interpreter's loop runs it (see Kind).

export type Kind =
  /** Computes a register from registers; cannot trap. */
  | "alu"
  /** May miss the TLB or trap. */
  | "memory"
  | "branch"
  | "jal"
  | "jalr"
  /** LR, SC, AMO. */
  | "atomic"
  /** Needs mstatus.FS on; computes. */
  | "float"
  /** Needs mstatus.FS on; may miss or trap. */
  | "float-memory"
  /** Changes more than registers: always one at a time, with the hart's full state. */
  | "system";

export interface Field {
  shift: number;
  width: number;
  /** Added to the field's value (8 for the three-bit register fields). */
  plus: number;
}

export interface Immediate {
  signed: boolean;
  /** `width` bits from instruction bit `from` go to immediate bit `to`. */
  parts: { from: number; to: number; width: number }[];
  /** Number of significant bits, including those that are always zero. */
  bits: number;
}

export interface Instruction {
  name: string;
  extension: string;
  length: 2 | 4;
  /** Bits that are fixed, and their values. */
  mask: number;
  match: number;
  fields: { rd?: Field; rs1?: Field; rs2?: Field; rs3?: Field; rm?: Field; uimm?: Field };
  immediate?: Immediate;
  operands: string[];
  kind: Kind;
}

/** A compressed instruction: an encoding, and the instruction that it abbreviates. */
export interface Compressed extends Omit<Instruction, "operands" | "kind"> {
  base: string;
  fixed: { rd?: number; rs1?: number; rs2?: number };
  /** A field that must not be zero. */
  nonZero?: "rd" | "rs1" | "rs2" | "imm";
}

type Encoding = Pick<Instruction, "length" | "mask" | "match" | "fields" | "immediate">;

/** The 5-bit fields by letter; capitals are 3-bit fields that name x8 to x15. */
const LETTERS: Record<string, (keyof Instruction["fields"])[]> = {
  d: ["rd"],
  a: ["rs1"],
  b: ["rs2"],
  c: ["rs3"],
  m: ["rm"],
  u: ["uimm"],
  e: ["rd", "rs1"],
  D: ["rd"],
  A: ["rs1"],
  B: ["rs2"],
  E: ["rd", "rs1"],
};

function parseEncoding(name: string, pattern: string, immediateSpec: string): Encoding {
  const bits = pattern.replaceAll(" ", "");
  if (bits.length !== 32 && bits.length !== 16) throw new Error(`${name}: ${bits.length} bits in its encoding`);
  const length = bits.length === 32 ? 4 : 2;
  let mask = 0;
  let match = 0;
  const fields: Instruction["fields"] = {};
  const immediateBits: number[] = [];
  for (let i = 0; i < bits.length; i++) {
    const at = bits.length - 1 - i;
    const letter = bits[i];
    if (letter === "0" || letter === "1") {
      mask |= 1 << at;
      if (letter === "1") match |= 1 << at;
    } else if (letter === "i") {
      immediateBits.push(at);
    } else if (letter !== ".") {
      const names = LETTERS[letter];
      if (!names) throw new Error(`${name}: unknown letter ${letter} in its encoding`);
      for (const field of names) {
        const known = fields[field];
        if (known) {
          known.shift = at;
          known.width++;
        } else {
          const capital = letter >= "A" && letter <= "Z";
          fields[field] = { shift: at, width: 1, plus: capital ? 8 : 0 };
        }
      }
    }
  }
  return {
    length,
    mask: mask >>> 0,
    match: match >>> 0,
    fields,
    immediate: parseImmediate(name, immediateSpec, immediateBits),
  };
}

function parseImmediate(name: string, spec: string, from: number[]): Immediate | undefined {
  if (spec === "") {
    if (from.length) throw new Error(`${name}: immediate bits without a description`);
    return undefined;
  }
  const signed = spec[0] === "s";
  const to = spec
    .slice(1)
    .split(",")
    .flatMap((run) => {
      const [high, low] = run.split(":").map(Number);
      return low === undefined ? [high] : Array.from({ length: high - low + 1 }, (_, i) => high - i);
    });
  if (to.length !== from.length) throw new Error(`${name}: ${from.length} immediate bits, ${to.length} described`);
  const parts: Immediate["parts"] = [];
  for (let i = 0; i < to.length; i++) {
    const last = parts.at(-1);
    if (last && last.from - 1 === from[i] && last.to - 1 === to[i]) {
      last.from--;
      last.to--;
      last.width++;
    } else {
      parts.push({ from: from[i], to: to[i], width: 1 });
    }
  }
  return { signed, parts, bits: Math.max(...to) + 1 };
}

function rows(text: string): string[][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const columns = line.split("|").map((column) => column.trim());
      const space = columns[0].indexOf(" ");
      return [columns[0].slice(0, space), columns[0].slice(space + 1), ...columns.slice(1)];
    });
}

/** The instructions of one extension, from its table. */
export function extension(name: string, text: string): Instruction[] {
  return rows(text).map(([insn, pattern, immediate, operands, kind]) => ({
    name: insn,
    extension: name,
    ...parseEncoding(insn, pattern, immediate),
    operands: operands === "" ? [] : operands.split(/,\s*/),
    kind: kind as Kind,
  }));
}

/** Compressed encodings: the third column is the instruction they stand for, with its fixed registers, the fourth what must not be zero. */
export function compressed(name: string, text: string): Compressed[] {
  return rows(text).map(([insn, pattern, immediate, stands, where]) => {
    const [base, ...assignments] = stands.split(/\s+/);
    const fixed: Compressed["fixed"] = {};
    for (const assignment of assignments) {
      const [register, value] = assignment.split("=");
      fixed[register as "rd" | "rs1" | "rs2"] = Number(value);
    }
    return {
      name: insn,
      extension: name,
      ...parseEncoding(insn, pattern, immediate),
      base,
      fixed,
      nonZero: where ? (where.replace("!=0", "") as Compressed["nonZero"]) : undefined,
    };
  });
}
