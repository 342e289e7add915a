// Names and operand shapes, for the disassembler.
import { HEAD, hasFar, opName } from "./generate-ops.ts";
import { instructions } from "./table.ts";

export function generateNames(): string {
  const texts = new Map<string, number>();
  for (const insn of instructions) {
    const text = insn.operands.join(", ");
    if (!texts.has(text)) texts.set(text, texts.size);
  }
  const names = instructions.map((i) => `    case Op.${opName(i.name)}: return "${i.name}";`);
  const shapes = instructions.map((i) => `    case Op.${opName(i.name)}: return ${texts.get(i.operands.join(", "))};`);
  const enums = [...texts].map(([text, n]) => `/** ${text || "none"} */ export const ${shapeName(text)}: u32 = ${n};`);
  const targets = instructions.filter((i) => hasFar(i.kind)).map((i) => `op == Op.${opName(i.name)}`);
  return `${HEAD}
import { Op } from "../isa/op.gen";

export function nameOf(op: u32): string {
  switch (op) {
${names.join("\n")}
  }
  return "unimp";
}

${enums.join("\n")}

export function shapeOf(op: u32): u32 {
  switch (op) {
${shapes.join("\n")}
  }
  return ${shapeName("")};
}

export function isJump(op: u32): bool {
  return ${targets.join(" || ")};
}
`;
}

/** `rd, imm(rs1)` as an identifier: RD_IMM_RS1; `(rs1)` alone is RS1_MEMORY. */
function shapeName(text: string): string {
  if (text === "") return "NONE";
  return text
    .replace(/(?<!imm)\((\w+)\)/, "$1 memory")
    .replaceAll(/[^a-z0-9]+/g, " ")
    .trim()
    .replaceAll(" ", "_")
    .toUpperCase();
}
