// CSR accesses that translated code does itself: registers that hold a value, the status
// registers, and floating point's.
import { describe, expect, test } from "vitest";
import type { Assembler } from "./generator/assembler.ts";
import { prologue, toUser } from "./generator/prologue.ts";
import { onBothTiers, registers } from "./generator/tiers.ts";

const [MSTATUS, SSTATUS] = [0x300, 0x100];
/** sscratch, sepc, scause, stval, and those of M-mode. */
const HOLDERS = [0x140, 0x141, 0x142, 0x143, 0x340, 0x341, 0x342, 0x343];
const [FFLAGS, FRM] = [1, 2];
const FS = 3 << 13;
const BUDGETS = Array.from({ length: 20 }, () => 500);

/** Adds `register` to a hash in a0. */
function note(asm: Assembler, register: number): void {
  asm.i("slli", 11, 10, 5);
  asm.r("add", 10, 10, 11);
  asm.r("xor", 10, 10, register);
}

describe("CSRs", () => {
  test.each(HOLDERS)("%i is written, set, cleared and read", (csr) => {
    const last = onBothTiers(
      (asm) => {
        asm.label("loop");
        asm.i("addi", 8, 8, 1);
        asm.i("slli", 9, 8, 53);
        asm.r("xor", 9, 9, 8);
        asm.op("csrrw", { rd: 12, rs1: 9, imm: csr });
        note(asm, 12);
        asm.op("csrrs", { rd: 9, rs1: 9, imm: csr });
        note(asm, 9);
        asm.op("csrrc", { rd: 0, rs1: 8, imm: csr });
        asm.op("csrrsi", { rd: 12, imm: csr, uimm: 21 });
        note(asm, 12);
        asm.op("csrrci", { rd: 12, imm: csr, uimm: 3 });
        note(asm, 12);
        asm.op("csrrwi", { rd: 12, imm: csr, uimm: 31 });
        note(asm, 12);
        asm.csrr(12, csr);
        note(asm, 12);
        asm.to("jal", "loop", { rd: 0 });
      },
      BUDGETS,
      registers,
    );
    expect(last[8]).toBeGreaterThan(200n);
  });

  test.each([MSTATUS, SSTATUS])("status %i shows what other accesses left, and interrupts can be disabled", (csr) => {
    const bit = csr === SSTATUS ? 2 : 8;
    const last = onBothTiers(
      (asm) => {
        asm.label("loop");
        asm.i("addi", 8, 8, 1);
        asm.i("andi", 9, 8, 3);
        asm.i("slli", 9, 9, 13); // mstatus.FS: SD shows when it is dirty
        asm.i("addi", 9, 9, 0x2a);
        asm.op("csrrs", { rd: 0, rs1: 9, imm: MSTATUS });
        asm.op("csrrci", { rd: 12, imm: csr, uimm: bit });
        note(asm, 12);
        asm.csrr(12, csr);
        note(asm, 12);
        asm.op("csrrci", { rd: 12, imm: csr, uimm: 0 });
        note(asm, 12);
        asm.op("csrrc", { rd: 0, rs1: 9, imm: MSTATUS });
        asm.to("jal", "loop", { rd: 0 });
      },
      BUDGETS,
      registers,
    );
    expect(last[8]).toBeGreaterThan(200n);
  });

  test("floating point's are read while it is on, and trap while it is not", () => {
    const last = onBothTiers(
      (asm) => {
        prologue(asm);
        asm.li(9, FS);
        asm.label("loop");
        asm.i("addi", 8, 8, 1);
        asm.i("andi", 12, 8, 31);
        asm.op("csrrs", { rd: 0, rs1: 9, imm: MSTATUS });
        asm.csrw(FFLAGS, 12);
        for (const csr of [FFLAGS, FRM, FFLAGS]) {
          asm.csrr(13, csr);
          note(asm, 13);
        }
        asm.op("csrrc", { rd: 0, rs1: 9, imm: MSTATUS });
        asm.csrr(13, FFLAGS);
        asm.to("jal", "loop", { rd: 0 });
      },
      BUDGETS,
      registers,
    );
    expect(last[26]).toBeGreaterThan(100n);
  });

  test("a register of a higher mode is the engine's to refuse", () => {
    const last = onBothTiers(
      (asm) => {
        prologue(asm);
        toUser(asm);
        asm.label("loop");
        asm.i("addi", 8, 8, 1);
        asm.csrr(12, 0x140);
        asm.csrr(12, 0x340);
        asm.csrr(12, SSTATUS);
        asm.to("jal", "loop", { rd: 0 });
      },
      BUDGETS,
      registers,
    );
    expect(last[8]).toBeGreaterThan(100n);
    expect(last[26]).toBeGreaterThanOrEqual(3n * (last[8]! - 1n));
  });
});
