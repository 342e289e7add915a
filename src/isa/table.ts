// The whole instruction set, in the order that gives each its operation number.
import { a } from "./a.ts";
import { c, cd } from "./c.ts";
import type { Compressed, Instruction } from "./extension.ts";
import { d, f } from "./fd.ts";
import { m } from "./m.ts";
import { rv64i } from "./rv64i.ts";
import { privileged, supervisor, svinval, zicbom, zicboz, zicsr, zifencei } from "./system.ts";
import { zba, zbb, zbs } from "./zb.ts";

export const instructions: readonly Instruction[] = [
  ...rv64i,
  ...m,
  ...zba,
  ...zbb,
  ...zbs,
  ...a,
  ...f,
  ...d,
  ...zicsr,
  ...zifencei,
  ...zicbom,
  ...zicboz,
  ...privileged,
  ...supervisor,
  ...svinval,
];

export const compressedInstructions: readonly Compressed[] = [...c, ...cd];

export const byName: ReadonlyMap<string, Instruction> = new Map(instructions.map((i) => [i.name, i]));

/** `fadd.s` as a name of functions (`fadd_s`); operations are its capitals. */
export function identifier(name: string): string {
  return name.replaceAll(".", "_");
}
