// Pairs of instructions that the interpreter does at once: a dispatch less, and what a host
// guesses wrong are dispatches. These were the most frequent in Debian's gcc, python3 and sqlite3, two
// fifths of all that follow each other. "c." is an instruction in two bytes.
import { instructions } from "./table.ts";

/** First instruction, and those that may follow it. The first goes on with the next: it is no jump. */
const FREQUENT: [string, string][] = [
  ["c.ld", "c.ld c.addi c.add ld c.beq c.sd beq"],
  ["c.sd", "c.sd c.addi c.add c.ld"],
  ["c.add", "c.add c.ld auipc c.addi beq ld c.sd addi c.beq c.lw c.slli lbu"],
  ["sd", "sd c.addi"],
  ["c.addi", "c.sd c.jalr c.addi c.add bne beq c.ld addi bltu"],
  ["auipc", "jalr addi ld"],
  ["ld", "ld c.add c.addi c.ld beq c.sd"],
  ["addi", "addi c.add c.addi beq bltu bne auipc"],
  ["c.slli", "c.add"],
  ["slli", "c.add srli"],
  ["lui", "addi"],
  ["lbu", "c.addi lbu"],
  ["srliw", "slliw"],
  ["xor", "xor"],
  ["lw", "lw c.addi"],
  ["srli", "c.add"],
  ["or", "or"],
  ["slliw", "srliw or"],
];

export interface Half {
  name: string;
  short: boolean;
}

export interface Pair {
  first: Half;
  second: Half;
}

function half(text: string): Half {
  const short = text.startsWith("c.");
  const name = short ? text.slice(2) : text;
  if (!instructions.some((i) => i.name === name)) throw new Error(`src/isa/pairs.ts: there is no instruction ${name}`);
  return { name, short };
}

export const pairs: readonly Pair[] = FREQUENT.flatMap(([first, seconds]) =>
  seconds.split(" ").map((second) => ({ first: half(first), second: half(second) })),
);
