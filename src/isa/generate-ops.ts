// Operation numbers. 0 to 2 belong to the predecode cache itself; a branch or jal is
// followed by its far form, whose target lies on another page.
import { type Half, pairs } from "./pairs.ts";
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

/** Behind the others come the pairs (pairs.ts) whose first instruction takes four bytes, behind the short ones the rest. */
const LONG_PAIRS = pairs.filter(({ first }) => !first.short);
const SHORT_PAIRS = pairs.filter(({ first }) => first.short);

function firstShort(): number {
  return Math.max(...opNumbers().values()) + 2 + LONG_PAIRS.length;
}

/** Number of each of `pairs`, in their order. */
export function pairNumbers(): number[] {
  const long = firstShort() - LONG_PAIRS.length;
  const short = Math.max(...shortNumbers().values()) + 2;
  return pairs.map((pair) => (pair.first.short ? short + SHORT_PAIRS.indexOf(pair) : long + LONG_PAIRS.indexOf(pair)));
}

export function numberOf({ name, short }: Half): number {
  const number = (short ? shortNumbers() : opNumbers()).get(name);
  if (number === undefined) throw new Error(`src/isa/pairs.ts: ${name} has no form of two bytes`);
  return number;
}

function generatePairs(): string {
  const numbers = pairNumbers();
  const firsts = [...new Set(pairs.map(({ first }) => numberOf(first)))];
  const cases = firsts.map((first) => {
    const own = pairs.flatMap((pair, i) =>
      numberOf(pair.first) === first ? [`case ${numberOf(pair.second)}: return ${numbers[i]};`] : [],
    );
    return `    case ${first}:\n      switch (second) {\n        ${own.join("\n        ")}\n      }\n      break;`;
  });
  return `
/** The operation that does \`first\` and \`second\` at once, or \`first\` if there is none. */
export function pairOf(first: u32, second: u32): u32 {
  switch (first) {
${cases.join("\n")}
  }
  return first;
}

/** The first operation of a pair; any other itself. */
export function firstOf(op: u32): u32 {
  switch (op) {
${pairs.map(({ first }, i) => `    case ${numbers[i]}: return ${numberOf(first)};`).join("\n")}
  }
  return op;
}
`;
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
${generatePairs()}`;
}
