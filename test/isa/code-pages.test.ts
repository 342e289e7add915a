// More pages of code than the predecode cache holds: they are evicted, some at once, and decoded again.
import { expect, test } from "vitest";
import { encode } from "../../src/isa/encode.ts";
import type { Assembler } from "./generator/assembler.ts";
import { prologue } from "./generator/prologue.ts";
import { onBothTiers, registers } from "./generator/tiers.ts";

const PAGES = 1500;
const FIRST = 0x8010_0000;

/** Each page counts in a0 and in a1, and goes on at the next one; the last one returns. Then one page counts once more, as new code. */
function program(asm: Assembler): void {
  prologue(asm);
  const code = [
    encode("addi", { rd: 10, rs1: 10, imm: 1 }),
    encode("add", { rd: 11, rs1: 11, rs2: 10 }),
    encode("jal", { rd: 0, imm: 4096 - 8 }),
  ];
  code.forEach((word, n) => {
    asm.li(20 + n, word);
  });
  asm.li(8, FIRST);
  asm.li(9, FIRST + PAGES * 4096);
  asm.label("fill");
  code.forEach((_, n) => {
    asm.store("sw", 20 + n, 4 * n, 8);
  });
  asm.li(12, 4096);
  asm.r("add", 8, 8, 12);
  asm.to("bne", "fill", { rs1: 8, rs2: 9 });
  asm.li(19, 0x0000_8067); // ret
  asm.store("sw", 19, 0, 9);
  asm.op("fence.i");
  asm.li(8, FIRST);
  asm.label("round");
  asm.i("jalr", 1, 8, 0);
  asm.i("addi", 13, 13, 1);
  // A page that was evicted and decoded again is still seen to be written.
  asm.store("sw", 21, 0, 8);
  asm.store("sw", 20, 4, 8);
  asm.op("fence.i");
  asm.to("jal", "round", { rd: 0 });
}

test("code pages beyond the predecode cache run as they are", () => {
  const budgets = Array.from({ length: 20 }, (_, n) => (n === 0 ? 20_000 : 3001));
  const last = onBothTiers(program, budgets, registers);
  const rounds = Number(last[13]);
  expect(rounds).toBeGreaterThan(8);
  expect(Number(last[10])).toBeGreaterThanOrEqual(rounds * PAGES);
});
