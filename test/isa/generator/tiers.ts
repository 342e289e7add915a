// One program on the interpreter and on the translator, which must agree after every run.
import { expect } from "vitest";
import { type BootMode, type Irqchip, Tier } from "../../../assembly/abi/layout.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { Assembler } from "./assembler.ts";
import { startEngine } from "./machines.ts";

/** x0 to x31, and the pc. */
export const registers = (engine: Engine): bigint[] =>
  Array.from({ length: 33 }, (_, n) => engine.exports.getReg(0, n));

export interface TiersOptions {
  /** Bytes of memory for the program; default 64 KiB. */
  size?: number;
  /** Bytes of host memory for translated code. */
  codeCache?: number;
  boot?: BootMode;
  irqchip?: Irqchip;
}

/** Runs a program on both tiers, by `budgets` of steps. What `look` sees after each must be the same; returns the last. */
export function onBothTiers<T>(
  write: (asm: Assembler) => void,
  budgets: number[],
  look: (engine: Engine) => T,
  { size = 0x1_0000, codeCache, boot, irqchip }: TiersOptions = {},
): T {
  const asm = new Assembler(size);
  write(asm);
  const image = asm.finish();
  const engines = [Tier.INTERPRETER, Tier.TRANSLATOR].map((tier) =>
    startEngine(image, { tier, codeCache, boot, irqchip }),
  );
  let last: T | undefined;
  for (const budget of budgets) {
    const [interpreted, translated] = engines.map((engine) => [engine.exports.run(budget), look(engine)] as const);
    expect(translated).toEqual(interpreted);
    last = interpreted?.[1];
  }
  return last as T;
}
