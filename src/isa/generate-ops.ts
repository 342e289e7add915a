// Operation numbers. 0 to 2 belong to the predecode cache itself; a branch or jal is
// followed by its far form, whose target lies on another page.
import { compressedInstructions, identifier, instructions } from "./table.ts";

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

/**
 * Instructions with a compressed encoding have a second operation for it, in which the way
 * to the next entry is a constant: loading it would make every instruction wait for the last.
 * They come after all others, a far form after its near one here, too.
 */
export function shortNumbers(): Map<string, number> {
  const bases = new Set(compressedInstructions.map(({ base }) => base));
  const numbers = new Map<string, number>();
  let next = firstShort();
  for (const { name, kind } of instructions) {
    if (!bases.has(name)) continue;
    numbers.set(name, next++);
    if (hasFar(kind)) next++;
  }
  return numbers;
}

function firstShort(): number {
  return Math.max(...opNumbers().values()) + 2;
}

export function generateOps(): string {
  const short = shortNumbers();
  const lines = [...opNumbers()].map(([name, n]) => `  ${opName(name)} = ${n},`);
  lines.push(...[...short].map(([name, n]) => `  ${opName(name)}_SHORT = ${n},`));
  const far = instructions.filter(({ kind }) => hasFar(kind)).map(({ name }) => `op == ${opNumbers().get(name)}`);
  const cases = [...short].map(([name, n]) => `    case ${opNumbers().get(name)}: return ${n};`);
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
/** Set in an entry's op to keep it off the fast path; OP_MASK takes it away. */
export const SLOW_ONLY: u16 = 0x8000;
/** Set where a translated region begins: the loop leaves the entry to the slow step, which enters the region. */
export const REGION_HEAD: u16 = 0x4000;
export const OP_MASK: u32 = 0x3fff;

/** The operation that an instruction of two bytes has in the predecode cache. */
export function shortForm(op: u32): u32 {
  switch (op) {
${cases.join("\n")}
  }
  return op;
}

/** Does the operation, not a short one, have a target: is it followed by its far form? */
export function hasFar(op: u32): bool {
  return ${far.join(" || ")};
}

/** Bytes of the instruction's encoding. */
// @ts-ignore: decorator
@inline
export function sizeOf(op: u32): u32 {
  return (op & OP_MASK) >= ${firstShort()} ? 2 : 4;
}
`;
}
