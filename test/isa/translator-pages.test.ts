// What translated code remembers of the pages that its base registers point to must go when a
// guest changes what it may do there, while a call or a CSR keeps the code's place.
import { describe, expect, test } from "vitest";
import { Assembler } from "./generator/assembler.ts";
import { onBothTiers, registers } from "./generator/tiers.ts";

const [MTVEC, MEPC, MCAUSE, MSTATUS, PMPADDR0, PMPCFG0, SATP, SSTATUS] = [
  0x305, 0x341, 0x342, 0x300, 0x3b0, 0x3a0, 0x180, 0x100,
];
const SUM = 1 << 18;

const BUDGETS = Array.from({ length: 12 }, () => 1000);
const SIZE = 0x2_0000;

/** A handler that counts in s10 and goes on behind the instruction; then to `start` in M-mode, with all memory granted. */
function prologue(asm: Assembler): void {
  asm.to("jal", "start", { rd: 0 });
  asm.align(4);
  asm.label("handler");
  asm.i("addi", 26, 26, 1);
  asm.csrr(31, MCAUSE);
  asm.csrr(30, MEPC);
  asm.i("addi", 30, 30, 4);
  asm.csrw(MEPC, 30);
  asm.op("mret");
  asm.label("start");
  asm.li(5, asm.labels.get("handler") ?? 0);
  asm.csrw(MTVEC, 5);
  asm.li(5, -1);
  asm.csrw(PMPADDR0, 5);
  asm.li(5, 0x1f);
  asm.csrw(PMPCFG0, 5);
}

/** Goes on in S-mode at 0x8000_0400: addresses are physical ones, and from 0xc000_0000 on the same pages are a user's. */
function toSupervisor(asm: Assembler): void {
  const root = 0x8001_0000;
  const gigapage = 0x8000_0000n >> 2n;
  asm.view.setBigUint64(root - asm.base + 8 * 2, gigapage | 0xcfn, true);
  asm.view.setBigUint64(root - asm.base + 8 * 3, gigapage | 0xdfn, true);
  asm.li(5, (8n << 60n) | BigInt(root >>> 12));
  asm.csrw(SATP, 5);
  asm.op("sfence.vma", { rs1: 0, rs2: 0 });
  asm.li(5, 0x800);
  asm.csrw(MSTATUS, 5);
  asm.li(5, 0x8000_0400);
  asm.csrw(MEPC, 5);
  asm.op("mret");
  asm.pc = 0x8000_0400;
}

describe("pages that base registers point to", () => {
  test("stores reach code that was decoded meanwhile", () => {
    const program = (asm: Assembler) => {
      const target = 0x8001_0000;
      const encodings = [1, 2].map((n) => {
        const other = new Assembler(64);
        other.i("addi", 10, 10, n);
        return other.view.getUint32(0, true);
      });
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
