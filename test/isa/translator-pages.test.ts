// What translated code remembers of the pages that its base registers point to must go when a
// guest changes what it may do there, while a call or a CSR keeps the code's place.
import { describe, expect, test } from "vitest";
import { encode } from "../../src/isa/encode.ts";
import type { Assembler } from "./generator/assembler.ts";
import { prologue, toSupervisor } from "./generator/prologue.ts";
import { onBothTiers, registers } from "./generator/tiers.ts";

const SSTATUS = 0x100;
const SUM = 1 << 18;

const BUDGETS = Array.from({ length: 12 }, () => 1000);
const SIZE = 0x2_0000;

describe("pages that base registers point to", () => {
  test("stores reach code that was decoded meanwhile", () => {
    const program = (asm: Assembler) => {
      const target = 0x8001_0000;
      const encodings = [1, 2].map((n) => encode("addi", { rd: 10, rs1: 10, imm: n }));
      prologue(asm);
      asm.li(8, target);
      asm.li(9, encodings[0]);
      asm.li(18, encodings[1]);
      asm.li(19, 0x0000_8067); // ret
      asm.store("sw", 19, 0x104, 8);
      asm.label("loop");
      for (const encoding of [9, 18]) {
        asm.store("sw", encoding, 0x100, 8);
        for (const offset of [0x600, 0x640, 0x680]) {
          asm.store("sd", 10, offset, 8);
          asm.to("bne", "loop", { rs1: 8, rs2: 8 });
        }
        asm.op("fence.i");
        asm.i("jalr", 1, 8, 0x100);
      }
      asm.to("jal", "loop", { rd: 0 });
    };
    const last = onBothTiers(program, BUDGETS, registers, { size: SIZE });
    expect(last[10]).toBeGreaterThan(30n);
  });

  test("a user's pages are the supervisor's only while SUM is set", () => {
    const program = (asm: Assembler) => {
      prologue(asm);
      toSupervisor(asm);
      asm.li(8, 0xc001_2000);
      asm.li(9, SUM);
      asm.label("loop");
      asm.op("csrrs", { rd: 0, rs1: 9, imm: SSTATUS });
      for (const offset of [0, 64, 128]) {
        asm.load("ld", 10, offset, 8);
        asm.to("bne", "loop", { rs1: 10, rs2: 10 });
      }
      asm.i("addi", 11, 11, 1);
      asm.op("csrrc", { rd: 0, rs1: 9, imm: SSTATUS });
      asm.load("ld", 12, 0, 8);
      asm.to("jal", "loop", { rd: 0 });
    };
    const last = onBothTiers(program, BUDGETS, registers, { size: SIZE });
    expect(last[11]).toBeGreaterThan(100n);
    expect(last[26]).toBe(last[11]);
  });
});
