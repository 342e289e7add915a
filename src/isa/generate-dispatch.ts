// The two switches that run instructions: the fast loop over predecoded entries, and the
// single step of the slow path. Each arm names the instruction's body; a body that is
// missing does not compile.
import type { Instruction } from "./extension.ts";
import { HEAD, hasFar, opName, opNumbers, shortNumbers } from "./generate-ops.ts";
import { identifier, instructions } from "./table.ts";

/** Extension of the table -> file of bodies under assembly/isa. */
const FILES: Record<string, string> = {
  I: "rv64i",
  M: "m",
  A: "a",
  F: "f",
  D: "d",
  ZBA: "zb",
  ZBB: "zb",
  ZBS: "zb",
};

function fileOf(insn: Instruction): string {
  return insn.kind === "system" ? "system" : (FILES[insn.extension] ?? "system");
}

function call(insn: Instruction, model: string): string {
  return `${fileOf(insn)}.${identifier(insn.name)}<${model}>(changetype<${model}>(p))`;
}

function imports(): string {
  return [...new Set(instructions.map(fileOf))].map((f) => `import * as ${f} from "../isa/${f}";`).join("\n");
}

const NUMBERS = opNumbers();
const SHORT = shortNumbers();

/**
 * The label of an operation's arm. A number, not the enum's name: asc makes one dense
 * br_table of a switch only if it sees literals, and the loop is half as fast without.
 */
function label(insn: Instruction, far = false): string {
  return `case ${NUMBERS.get(insn.name)! + (far ? 1 : 0)}: /* ${opName(insn.name)}${far ? ", far" : ""} */`;
}

/** Done with this instruction. */
const NEXT = "{ n--; continue; }";
/** On to the next entry: its distance is a constant wherever the operation tells the length. */
const after = (bytes: number) => `p += ${bytes * 8}; ${NEXT}`;
/** Leaves the switch: the slow step that follows it does the instruction at p. */
const SLOW = "break;";
/** Continue at `target`. */
const PC = "bias + <i64>(p >> 3)";
/** Counts the arrival at p, and translates what was arrived at often enough. */
const ARRIVE = `if (arrive(p)) translateRegion(p, ${PC});`;
/** A taken branch; backwards is a loop's. */
const BRANCH = `distance = load<i32>(p, IMM); p += <usize>distance; if (distance < 0) { ${ARRIVE} } ${NEXT}`;
const JUMP =
  "p = lookupInstruction(<u64>target); if (p == 0) { p = enter(<u64>target, n); if (p == 0) return; n = stepsLeft; bias = nextBias; } else bias = target - <i64>(p >> 3);" +
  ` ${ARRIVE} ${NEXT}`;
const LINK = `store<i64>(<usize>load<u16>(p, RD), ${PC} + (<i64>load<u8>(p, STRIDE) >> 3));`;

function arms(insn: Instruction, at: string, bytes: number): string[] {
  const body = call(insn, "Fast");
  const next = after(bytes);
  switch (insn.kind) {
    case "alu":
      // The one body that reads the pc: the loop knows it, the entry does not.
      if (insn.name === "auipc") {
        return [`${at} store<i64>(<usize>load<u16>(p, RD), ${PC} + <i64>load<i32>(p, IMM)); ${next}`];
      }
      return [`${at} ${body}; ${next}`];
    case "memory":
      return [`${at} if (${body}) { ${next} } ${SLOW}`];
    case "float":
      return [`${at} if (floatReady()) { ${body}; ${next} } ${SLOW}`];
    case "float-memory":
      return [`${at} if (floatReady() && ${body}) { ${next} } ${SLOW}`];
    case "branch":
      return [`${at} if (${body}) { ${BRANCH} } ${next}`];
    default:
      return [];
  }
}

function fastArms(insn: Instruction): string[] {
  const body = call(insn, "Fast");
  const short = SHORT.get(insn.name);
  const both = [
    ...arms(insn, label(insn), 4),
    ...(short === undefined ? [] : arms(insn, `case ${short}: /* ${opName(insn.name)}, short */`, 2)),
  ];
  switch (insn.kind) {
    case "branch":
      return [
        ...both,
        `${label(insn, true)} if (${body}) { target = ${PC} + <i64>load<i32>(p, IMM); ${JUMP} } p += <usize>load<u8>(p, STRIDE); ${NEXT}`,
      ];
    case "jal":
      return [
        `${label(insn)} ${LINK} p += <usize>load<i32>(p, IMM); ${ARRIVE} ${NEXT}`,
        `${label(insn, true)} target = ${PC} + <i64>load<i32>(p, IMM); ${LINK} ${JUMP}`,
      ];
    case "jalr":
      return [
        `${label(insn)} target = (load<i64>(<usize>load<u16>(p, RS1)) + <i64>load<i32>(p, IMM)) & ~1; ${LINK} ${JUMP}`,
      ];
    default:
      return both;
  }
}

/** Labels of all operations without an arm of their own, so that the table has no holes. */
function slowLabels(): string {
  const fast = new Set(
    instructions
      .filter((i) => fastArms(i).length > 0)
      .flatMap((i) => [NUMBERS.get(i.name)!, ...(hasFar(i.kind) ? [NUMBERS.get(i.name)! + 1] : [])]),
  );
  for (const n of SHORT.values()) fast.add(n);
  const last = Math.max(...NUMBERS.values(), ...SHORT.values());
  return Array.from({ length: last + 1 }, (_, n) => n)
    .filter((n) => !fast.has(n))
    .map((n) => `case ${n}:`)
    .join(" ");
}

export function generateFast(): string {
  const arms = instructions.flatMap(fastArms).map((arm) => `      ${arm}`);
  return `${HEAD}
import { HartAt } from "../abi/layout";
import { setSliceLeft } from "../hart/counters";
import { Hart } from "../hart/state";
import { lookupInstruction } from "../hart/tlb";
import { Entry } from "../isa/entry";
${imports().replace(/import \* as system.*\n?/, "")}
import { Fast } from "./fast";
import { arrive } from "../translator/heat";
import { translateRegion } from "../translator/translate";
import { enter, nextBias, stepsLeft } from "./step";
import { proceed } from "./translated";

const RD: usize = offsetof<Entry>("rd");
const RS1: usize = offsetof<Entry>("rs1");
const IMM: usize = offsetof<Entry>("imm");
const STRIDE: usize = offsetof<Entry>("stride");

// @ts-ignore: decorator
@inline
function floatReady(): bool {
  return load<u32>(<usize>HartAt.STATE, offsetof<Hart>("floatReady")) != 0;
}

/**
 * Runs from entry \`p\` until \`n\` instructions are done or something needs the outer loop.
 * The pc is \`bias + (p >> 3)\`; it is stored when the loop ends by itself.
 */
export function interpret(p: usize, n: i32, bias: i64): void {
  let target: i64 = 0;
  let distance: i32 = 0;
  while (n > 0) {
    switch (<u32>load<u16>(p)) {
${arms.join("\n")}
      ${slowLabels()}
      default: ${SLOW}
    }
    p = proceed(p, n, bias);
    if (p == 0) return;
    n = stepsLeft - 1;
    bias = nextBias;
  }
  store<i64>(<usize>HartAt.PC, bias + <i64>(p >> 3));
  setSliceLeft(0);
}
`;
}

function slowArm(insn: Instruction): string {
  const short = SHORT.get(insn.name);
  return short === undefined ? slowBody(insn) : `case ${short}:\n    ${slowBody(insn)}`;
}

function slowBody(insn: Instruction): string {
  const body = call(insn, "Slow");
  switch (insn.kind) {
    case "branch":
      return `${label(insn)} if (${body}) jump(near(p)); break;\n    ${label(insn, true)} if (${body}) jump(far(p)); break;`;
    case "jal":
      return `${label(insn)} link(p); jump(near(p)); break;\n    ${label(insn, true)} link(p); jump(far(p)); break;`;
    case "jalr":
      return `${label(insn)} jumpRegister(p); break;`;
    case "float":
    case "float-memory": {
      const check = insn.operands.includes("rm") ? "floatAllowed() && roundingValid(p)" : "floatAllowed()";
      return `${label(insn)} if (${check}) ${body}; else illegal(p); break;`;
    }
    default:
      return `${label(insn)} ${body}; break;`;
  }
}

export function generateSlow(): string {
  const arms = instructions.map(slowArm).map((arm) => `    ${arm}`);
  return `${HEAD}
import { OP_MASK } from "../isa/op.gen";
${imports()}
import { far, floatAllowed, illegal, jump, jumpRegister, link, near, roundingValid } from "./control-flow";
import { Slow } from "./slow";

/** Does the instruction of entry \`p\`, whose address is the hart's pc. */
export function executeSlow(p: usize): void {
  switch (<u32>load<u16>(p) & OP_MASK) {
${arms.join("\n")}
    default: illegal(p);
  }
}
`;
}

/** The kind of each operation, and the switch that translates one: its body, with the model that emits. */
export function generateEmit(): string {
  const translated = ["alu", "memory", "branch", "atomic", "float", "float-memory"];
  const arms = instructions
    .filter((insn) => translated.includes(insn.kind))
    .map((insn) => `    case ${NUMBERS.get(insn.name)}: /* ${opName(insn.name)} */ ${call(insn, "Emit")}; break;`);
  const kinds = instructions.map((insn) => `    case ${NUMBERS.get(insn.name)}: return Kind.${kindName(insn.kind)};`);
  const rounding = instructions
    .filter((insn) => insn.operands.includes("rm"))
    .map((insn) => `op == ${NUMBERS.get(insn.name)}`);
  return `${HEAD}
${imports().replace(/import \* as system.*\n?/, "")}
import { Emit } from "./emit";
import { Kind } from "./kind";

/** Emits the instruction at \`p\`. */
export function emitInstruction(p: usize): void {
  switch (<u32>load<u16>(p)) {
${arms.join("\n")}
  }
}

export function kindOf(op: u32): Kind {
  switch (op) {
${kinds.join("\n")}
  }
  return Kind.SYSTEM;
}

/** Does the operation round as its rm field says? */
export function rounds(op: u32): bool {
  return ${rounding.join(" || ")};
}
`;
}

function kindName(kind: Instruction["kind"]): string {
  return kind.replace("-", "_").toUpperCase();
}
