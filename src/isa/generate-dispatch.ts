// The two switches that run instructions: the fast loop over predecoded entries, and the
// single step of the slow path. Each arm names the instruction's body; a body that is
// missing does not compile.
import type { Instruction } from "./extension.ts";
import { HEAD, opName, opNumbers, pairNumbers, shortNumbers } from "./generate-ops.ts";
import { type Pair, pairs } from "./pairs.ts";
import { byName, identifier, instructions } from "./table.ts";

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

/** As SCALE in assembly/memory/code-map.ts. */
const SCALE = 2;
const NUMBERS = opNumbers();
const SHORT = shortNumbers();
const PAIRS = pairNumbers();

/**
 * The label of an operation's arm. A number, not the enum's name: asc makes one dense
 * br_table of a switch only if it sees literals, and the loop is half as fast without.
 */
function label(insn: Instruction, far = false, short = false): string {
  const number = (short ? SHORT : NUMBERS).get(insn.name)! + (far ? 1 : 0);
  return `case ${number}: /* ${opName(insn.name)}${short ? ", short" : ""}${far ? ", far" : ""} */`;
}

/** Done with this instruction. */
const NEXT = "{ n--; continue; }";
/** On to the next entry: its distance is a constant wherever the operation tells the length. */
const after = (bytes: number) => `p += ${bytes << SCALE}; ${NEXT}`;
/** Leaves the switch: the slow step that follows it does the instruction at p. */
const SLOW = "break;";
/** Continue at `target`. */
const PC = `bias + <i64>(p >> ${SCALE})`;
/** Counts the arrival at p, and translates what was arrived at often enough. */
const ARRIVE = `if (arrive(p)) translateRegion(p, ${PC});`;
/** A taken branch; backwards is a loop's. */
const BRANCH = `distance = <i32>load<i16>(p, OFFSET); p += <usize>distance; if (distance < 0) { ${ARRIVE} } ${NEXT}`;
const JUMP =
  `p = lookupInstruction(<u64>target); if (p == 0) { p = enter(<u64>target, n); if (p == 0) return; n = stepsLeft; bias = nextBias; } else bias = target - <i64>(p >> ${SCALE});` +
  ` ${ARRIVE} ${NEXT}`;
const SET_RD = "store<i64>(<usize>load<u8>(p, RD), ";
const link = (bytes: number) => `${SET_RD}${PC} + ${bytes}, X_RD);`;

/** Does an instruction that the next one follows, and then `on`; undefined if it is of no such kind. */
function straight(insn: Instruction, on: string): string | undefined {
  const body = call(insn, "Fast");
  switch (insn.kind) {
    case "alu":
      // The one body that reads the pc: the loop knows it, the entry does not.
      if (insn.name === "auipc") return `${SET_RD}${PC} + <i64>load<i32>(p, IMM), X_RD); ${on}`;
      return `${body}; ${on}`;
    case "memory":
      return `if (${body}) { ${on} } ${SLOW}`;
    case "float":
      return `if (floatReady()) { ${body}; ${on} } ${SLOW}`;
    case "float-memory":
      return `if (floatReady() && ${body}) { ${on} } ${SLOW}`;
    default:
      return undefined;
  }
}

/** What the loop does for an instruction: nothing, or one arm, or one for its near form and one for its far form. */
function arms(insn: Instruction, short: boolean): string[] {
  const bytes = short ? 2 : 4;
  const body = call(insn, "Fast");
  const next = after(bytes);
  switch (insn.kind) {
    case "branch":
      return [
        `if (${body}) { ${BRANCH} } ${next}`,
        `if (${body}) { target = ${PC} + <i64>load<i16>(p, OFFSET); ${JUMP} } ${next}`,
      ];
    case "jal":
      return [
        `${link(bytes)} p += <usize>load<i32>(p, IMM); ${ARRIVE} ${NEXT}`,
        `target = ${PC} + <i64>load<i32>(p, IMM); ${link(bytes)} ${JUMP}`,
      ];
    case "jalr":
      return [
        `target = (load<i64>(<usize>load<u8>(p, RS1), HartAt.X) + <i64>load<i32>(p, IMM)) & ~1; ${link(bytes)} ${JUMP}`,
      ];
    default:
      return [straight(insn, next)].filter((arm) => arm !== undefined);
  }
}

/** All forms of an instruction: whether its encoding is short. */
function forms(insn: Instruction): boolean[] {
  return SHORT.has(insn.name) ? [false, true] : [false];
}

function fastArms(insn: Instruction): string[] {
  return forms(insn).flatMap((short) => arms(insn, short).map((arm, far) => `${label(insn, far === 1, short)} ${arm}`));
}

/** The second of a pair follows if the first is done and a step is left. */
function pairArm({ first, second }: Pair, i: number): string {
  const [then] = arms(byName.get(second.name)!, second.short);
  const on = `p += ${(first.short ? 2 : 4) << SCALE}; if (--n <= 0) continue; ${then}`;
  const both = straight(byName.get(first.name)!, on);
  if (then === undefined || both === undefined)
    throw new Error(`src/isa/pairs.ts: ${first.name}, ${second.name} is no pair`);
  return `case ${PAIRS[i]}: /* ${first.name}, ${second.name} */ ${both}`;
}

/** Labels of all operations without an arm of their own, so that the table has no holes. */
function slowLabels(fastArms: readonly string[]): string {
  const fast = new Set(fastArms.map((arm) => Number(/^case (\d+):/.exec(arm)?.[1])));
  return Array.from({ length: Math.max(...fast) + 1 }, (_, n) => n)
    .filter((n) => !fast.has(n))
    .map((n) => `case ${n}:`)
    .join(" ");
}

export function generateFast(): string {
  const arms = [...instructions.flatMap(fastArms), ...pairs.map(pairArm)];
  return `${HEAD}
import { HartAt } from "../abi/layout";
import { setSliceLeft } from "../hart/counters";
import { Hart } from "../hart/state";
import { lookupInstruction } from "../hart/tlb";
import { Entry, OFFSET, X_RD } from "../isa/entry";
${imports().replace(/import \* as system.*\n?/, "")}
import { Fast } from "./fast";
import { arrive } from "../translator/heat";
import { translateRegion } from "../translator/translate";
import { enter, nextBias, stepsLeft } from "./step";
import { proceed } from "./translated";

const RD: usize = offsetof<Entry>("rd");
const RS1: usize = offsetof<Entry>("rs1");
const IMM: usize = offsetof<Entry>("imm");

// @ts-ignore: decorator
@inline
function floatReady(): bool {
  return load<u32>(<usize>HartAt.STATE, offsetof<Hart>("floatReady")) != 0;
}

/**
 * Runs from entry \`p\` until \`n\` instructions are done or something needs the outer loop.
 * The pc is \`bias + (p >> ${SCALE})\`; it is stored when the loop ends by itself.
 */
export function interpret(p: usize, n: i32, bias: i64): void {
  let target: i64 = 0;
  let distance: i32 = 0;
  while (n > 0) {
    switch (<u32>load<u16>(p)) {
${arms.map((arm) => `      ${arm}`).join("\n")}
      ${slowLabels(arms)}
      default: ${SLOW}
    }
    p = proceed(p, n, bias);
    if (p == 0) return;
    n = stepsLeft - 1;
    bias = nextBias;
  }
  store<i64>(<usize>HartAt.PC, ${PC});
  setSliceLeft(0);
}
`;
}

/** All forms of an instruction: the slow path knows its length, and does the first of a pair alone. */
function labels(insn: Instruction, far = false): string {
  const first = far ? [] : pairs.flatMap(({ first }, i) => (first.name === insn.name ? [`case ${PAIRS[i]}:`] : []));
  return [...forms(insn).map((short) => label(insn, far, short)), ...first].join(" ");
}

function slowArm(insn: Instruction): string {
  const body = call(insn, "Slow");
  const at = labels(insn);
  switch (insn.kind) {
    case "branch":
      return `${at} if (${body}) jump(near(p, <i64>load<i16>(p, OFFSET))); break;\n    ${labels(insn, true)} if (${body}) jump(far(<i64>load<i16>(p, OFFSET))); break;`;
    case "jal":
      return `${at} link(p); jump(near(p, <i64>load<i32>(p, IMM))); break;\n    ${labels(insn, true)} link(p); jump(far(<i64>load<i32>(p, IMM))); break;`;
    case "jalr":
      return `${at} jumpRegister(p); break;`;
    case "float":
    case "float-memory": {
      const check = insn.operands.includes("rm") ? "floatAllowed() && roundingValid(p)" : "floatAllowed()";
      return `${at} if (${check}) ${body}; else illegal(p); break;`;
    }
    default:
      return `${at} ${body}; break;`;
  }
}

export function generateSlow(): string {
  const arms = instructions.map(slowArm).map((arm) => `    ${arm}`);
  return `${HEAD}
import { Entry, OFFSET } from "../isa/entry";
import { OP_MASK } from "../isa/op.gen";
${imports()}
import { far, floatAllowed, illegal, jump, jumpRegister, link, near, roundingValid } from "./control-flow";
import { Slow } from "./slow";

const IMM: usize = offsetof<Entry>("imm");

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
