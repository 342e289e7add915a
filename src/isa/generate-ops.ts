// Operation numbers. 0 to 2 belong to the predecode cache itself; a branch or jal is
// followed by its far form, whose target lies on another page.
import { identifier, instructions } from "./table.ts";

export const HEAD = "// Generated from the instruction table in src/isa. Do not edit: npm run build writes it.\n";

export function opName(name: string): string {
  return identifier(name).toUpperCase();
}

export function hasFar(kind: string): boolean {
  return kind === "branch" || kind === "jal";
}

export function opNumbers(): Map<string, number> {
  const numbers = new Map<string, number>();
  let next = 4;
  for (const insn of instructions) {
    numbers.set(insn.name, next++);
    if (hasFar(insn.kind)) next++;
  }
  return numbers;
}

export function generateOps(): string {
  const lines = [...opNumbers()].map(([name, n]) => `  ${opName(name)} = ${n},`);
  const last = Math.max(...opNumbers().values()) + 1;
  return `${HEAD}
export const enum Op {
  /** Not decoded yet: decode, then run. */
  UNDECODED = 0,
  /** Past a page's last halfword: go on at the next page. */
  PAGE_END = 1,
  /** A 32-bit instruction whose second half is on the next page. */
  CROSSES_PAGE = 2,
  ILLEGAL = 3,
${lines.join("\n")}
}
export const OP_COUNT: u32 = ${last + 1};
/** Set in an entry's op to keep it off the fast path; OP_MASK takes it away. */
export const SLOW_ONLY: u16 = 0x8000;
export const OP_MASK: u32 = 0x7fff;
`;
}
