// The two switches that run instructions: the fast loop over predecoded entries, and the
// single step of the slow path. Each arm names the instruction's body; a body that is
// missing does not compile.
import type { Instruction } from "./extension.ts";
import { HEAD, opName } from "./generate-ops.ts";
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

const STRIDE = "p += <usize>load<u8>(p, STRIDE)";

function fastArms(insn: Instruction): string[] {
  const op = opName(insn.name);
  const body = call(insn, "Fast");
  switch (insn.kind) {
    case "alu":
      // The one body that reads the pc: the loop knows it, the entry does not.
      if (insn.name === "auipc") return [`case Op.AUIPC: store<i64>(<usize>load<u16>(p, RD), bias + <i64>(p >> 3) + <i64>load<i32>(p, IMM)); ${STRIDE}; break;`];
      return [`case Op.${op}: ${body}; ${STRIDE}; break;`];
    case "memory":
      return [`case Op.${op}: if (${body}) { ${STRIDE}; break; } ${SLOW}`];
    case "float":
      return [`case Op.${op}: if (floatReady()) { ${body}; ${STRIDE}; break; } ${SLOW}`];
    case "float-memory":
      return [`case Op.${op}: if (floatReady() && ${body}) { ${STRIDE}; break; } ${SLOW}`];
    case "branch":
      return [
        `case Op.${op}: p += ${body} ? <usize>load<i32>(p, IMM) : <usize>load<u8>(p, STRIDE); break;`,
        `case Op.${op} + 1: if (${body}) { target = bias + <i64>(p >> 3) + <i64>load<i32>(p, IMM); ${JUMP} } ${STRIDE}; break;`,
      ];
    case "jal": {
      const link = "store<i64>(<usize>load<u16>(p, RD), bias + <i64>(p >> 3) + (<i64>load<u8>(p, STRIDE) >> 3));";
      return [
        `case Op.JAL: ${link} p += <usize>load<i32>(p, IMM); break;`,
        `case Op.JAL + 1: target = bias + <i64>(p >> 3) + <i64>load<i32>(p, IMM); ${link} ${JUMP}`,
      ];
    }
    case "jalr":
      return [
        "case Op.JALR: target = (load<i64>(<usize>load<u16>(p, RS1)) + <i64>load<i32>(p, IMM)) & ~1;" +
          ` store<i64>(<usize>load<u16>(p, RD), bias + <i64>(p >> 3) + (<i64>load<u8>(p, STRIDE) >> 3)); ${JUMP}`,
      ];
    default:
      return [];
  }
}

/** Continue with the slow step of the instruction at p. */
const SLOW = "p = step(p, n, bias); if (p == 0) return; n = stepsLeft; bias = nextBias; break;";
/** Continue at `target`. */
const JUMP =
  "p = lookupInstruction(<u64>target); if (p == 0) { p = enter(<u64>target, n); if (p == 0) return; n = stepsLeft; bias = nextBias; } else bias = target - <i64>(p >> 3); break;";

export function generateFast(): string {
  const arms = instructions.flatMap(fastArms).map((arm) => `      ${arm}`);
  return `${HEAD}
import { HartAt } from "../abi/layout";
import { setSliceLeft } from "../hart/counters";
import { Hart } from "../hart/state";
import { lookupInstruction } from "../hart/tlb";
import { Entry } from "../isa/entry";
import { Op } from "../isa/op.gen";
${imports().replace(/import \* as system.*\n?/, "")}
import { Fast } from "./fast";
import { enter, nextBias, step, stepsLeft } from "./step";

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
  do {
    switch (<u32>load<u16>(p)) {
${arms.join("\n")}
      default: ${SLOW}
    }
  } while (--n > 0);
  store<i64>(<usize>HartAt.PC, bias + <i64>(p >> 3));
  setSliceLeft(0);
}
`;
}

function slowArm(insn: Instruction): string {
  const op = opName(insn.name);
  const body = call(insn, "Slow");
  const near = `case Op.${op}:`;
  const far = `case Op.${op} + 1:`;
  switch (insn.kind) {
    case "branch":
      return `${near} if (${body}) jump(near(p)); break;\n    ${far} if (${body}) jump(far(p)); break;`;
    case "jal":
      return `${near} link(p); jump(near(p)); break;\n    ${far} link(p); jump(far(p)); break;`;
    case "jalr":
      return `${near} jumpRegister(p); break;`;
    case "float":
    case "float-memory": {
      const check = insn.operands.includes("rm") ? "floatAllowed() && roundingValid(p)" : "floatAllowed()";
      return `${near} if (${check}) ${body}; else illegal(p); break;`;
    }
    default:
      return `${near} ${body}; break;`;
  }
}

export function generateSlow(): string {
  const arms = instructions.map(slowArm).map((arm) => `    ${arm}`);
  return `${HEAD}
import { Op, OP_MASK } from "../isa/op.gen";
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
