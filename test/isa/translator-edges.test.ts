// Where translated code could go on with what is no longer so, or with more than a region holds:
// each program does the same on the translator as on the interpreter, and what it should.
import { describe, expect, test } from "vitest";
import { ConsolePort } from "../../assembly/abi/device.ts";
import { BootMode, Machine } from "../../assembly/abi/layout.ts";
import { SbiExtension } from "../../assembly/abi/sbi.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { encode } from "../../src/isa/encode.ts";
import type { Assembler } from "./generator/assembler.ts";
import { prologue, ROOT_TABLE, toSupervisor, usePageTables } from "./generator/prologue.ts";
import { onBothTiers, registers } from "./generator/tiers.ts";

const [MSTATUS, MEPC] = [0x300, 0x341];
const BUDGETS = Array.from({ length: 12 }, () => 2000);

/** A function at `address` that adds `n` to a0. */
function adder(asm: Assembler, address: number, n: number): void {
  const { pc } = asm;
  asm.pc = address;
  asm.i("addi", 10, 10, n);
  asm.i("jalr", 0, 1, 0);
  asm.pc = pc;
}

describe("translated code", () => {
  test("is forgotten where the hypervisor writes console input to it", () => {
    const target = 0x8000_1000;
    const words = [1, 2].map((n) => encode("addi", { rd: 10, rs1: 10, imm: n }));
    let fed = 0;
    const feed = (engine: Engine) => {
      new DataView(engine.bytes.buffer).setUint32(Machine.SCRATCH, words[(fed++ >> 1) & 1] ?? 0, true);
      engine.exports.consoleInput(ConsolePort.SBI, Machine.SCRATCH, 4);
      return registers(engine);
    };
    const last = onBothTiers(
      (asm) => {
        adder(asm, target, 1);
        asm.li(8, target);
        asm.label("loop");
        asm.i("addi", 9, 9, 1);
        asm.i("jalr", 1, 8, 0);
        asm.r("add", 18, 10, 0);
        asm.i("andi", 5, 9, 31);
        asm.to("bne", "loop", { rs1: 5, rs2: 0 });
        asm.li(17, SbiExtension.DBCN);
        asm.li(16, 1);
        asm.li(10, 4);
        asm.r("add", 11, 8, 0);
        asm.li(12, 0);
        asm.op("ecall");
        asm.r("add", 19, 19, 11);
        asm.r("add", 10, 18, 0);
        asm.to("jal", "loop", { rd: 0 });
      },
      BUDGETS,
      feed,
      { boot: BootMode.PARAVIRT },
    );
    expect(last[19]).toBeGreaterThanOrEqual(40n); // bytes that came in
    expect(last[18]).toBeGreaterThan((last[9]! * 5n) / 4n);
  });

  test("is left where a superpage with it is mapped elsewhere, whatever address of it is fenced", () => {
    const [tables, first, second] = [ROOT_TABLE + 0x1000, 0x8020_0000, 0x8040_0000];
    const leaf = (address: number) => (BigInt(address) >> 2n) | 0xcfn;
    const last = onBothTiers(
      (asm) => {
        prologue(asm);
        toSupervisor(asm);
        asm.view.setBigUint64(ROOT_TABLE - asm.base + 8 * 3, (BigInt(tables) >> 2n) | 1n, true);
        asm.view.setBigUint64(tables - asm.base, leaf(first), true);
        adder(asm, first + 0x1000, 1);
        adder(asm, second + 0x1000, 2);
        asm.li(8, 0xc000_1000);
        asm.li(9, tables);
        asm.li(18, leaf(first));
        asm.li(19, leaf(second));
        asm.li(20, 0xc010_0000);
        asm.label("loop");
        for (const page of [19, 18]) {
          asm.li(21, 40);
          asm.label(`calls${page}`);
          asm.i("jalr", 1, 8, 0);
          asm.i("addi", 21, 21, -1);
          asm.to("bne", `calls${page}`, { rs1: 21, rs2: 0 });
          asm.store("sd", page, 0, 9);
          asm.op("sfence.vma", { rs1: 20, rs2: 0 });
        }
        asm.i("addi", 22, 22, 1);
        asm.to("jal", "loop", { rd: 0 });
      },
      BUDGETS,
      registers,
      { size: 0x50_0000 },
    );
    expect(last[22]).toBeGreaterThan(20n);
    const rest = last[10]! - 120n * last[22]!;
    expect(rest >= 0n && rest < 120n).toBe(true);
  });

  test("sets a page's dirty bit again after it was cleared and fenced", () => {
    const [tables, leaves, data] = [ROOT_TABLE + 0x1000, ROOT_TABLE + 0x2000, 0x8001_8000];
    const [MENVCFG, ADUE, DIRTY] = [0x30a, 1n << 61n, 0x80];
    const last = onBothTiers(
      (asm) => {
        prologue(asm);
        asm.li(5, ADUE);
        asm.csrw(MENVCFG, 5);
        toSupervisor(asm);
        const entry = (at: number, value: bigint) => asm.view.setBigUint64(at - asm.base, value, true);
        entry(ROOT_TABLE + 8 * 3, (BigInt(tables) >> 2n) | 1n);
        entry(tables, (BigInt(leaves) >> 2n) | 1n);
        entry(leaves, (BigInt(data) >> 2n) | 0x4fn);
        asm.li(8, 0xc000_0000);
        asm.li(9, leaves);
        asm.label("loop");
        asm.i("addi", 22, 22, 1);
        asm.li(21, 4);
        asm.label("stores");
        asm.store("sd", 21, 64, 8);
        asm.load("ld", 11, 64, 8);
        asm.i("addi", 21, 21, -1);
        asm.to("bne", "stores", { rs1: 21, rs2: 0 });
        asm.load("ld", 5, 0, 9);
        asm.i("andi", 6, 5, DIRTY);
        asm.r("add", 10, 10, 6);
        asm.r("sub", 5, 5, 6);
        asm.store("sd", 5, 0, 9);
        asm.op("sfence.vma", { rs1: 8, rs2: 0 });
        asm.to("jal", "loop", { rd: 0 });
      },
      BUDGETS,
      registers,
      { size: 0x2_0000 },
    );
    expect(last[22]).toBeGreaterThan(200n);
    expect(last[10]! / BigInt(DIRTY)).toBeGreaterThanOrEqual(last[22]! - 1n);
    expect(last[26]).toBe(0n);
  });

  /** M-mode sums what it loads from `data`, 60 times a round, in x10; then `end` comes. Rounds are counted in x22. */
  function sumInRounds(asm: Assembler, data: number, end: () => void): void {
    asm.view.setBigUint64(data - asm.base, 1n, true);
    asm.li(8, data);
    asm.label("round");
    asm.li(21, 60);
    asm.label("loads");
    asm.li(11, 0);
    asm.load("ld", 11, 0, 8);
    asm.r("add", 10, 10, 11);
    asm.i("addi", 21, 21, -1);
    asm.to("bne", "loads", { rs1: 21, rs2: 0 });
    end();
    asm.i("addi", 22, 22, 1);
    asm.to("jal", "round", { rd: 0 });
  }

  test("of M-mode loads by S-mode's rights as soon as MPRV says so", () => {
    const [tables, leaves, data, other] = [ROOT_TABLE + 0x1000, ROOT_TABLE + 0x2000, 0x8000_8000, 0x8000_9000];
    const AS_SUPERVISOR = 0x2_0800; // MPRV, MPP: S
    const last = onBothTiers(
      (asm) => {
        const entry = (at: number, value: bigint) => asm.view.setBigUint64(at - asm.base, value, true);
        prologue(asm);
        usePageTables(asm);
        entry(ROOT_TABLE + 8 * 2, (BigInt(tables) >> 2n) | 1n);
        entry(tables, (BigInt(leaves) >> 2n) | 1n);
        entry(leaves + 8 * 8, (BigInt(other) >> 2n) | 0xcfn);
        entry(other, 2n);
        asm.csrw(MSTATUS, 0);
        sumInRounds(asm, data, () => {
          asm.li(5, AS_SUPERVISOR);
          asm.op("csrrs", { rd: 0, rs1: 5, imm: MSTATUS });
          asm.load("ld", 11, 0, 8);
          asm.op("csrrc", { rd: 0, rs1: 5, imm: MSTATUS });
          asm.r("add", 12, 12, 11);
        });
      },
      BUDGETS,
      registers,
      { size: 0x2_0000 },
    );
    expect(last[22]).toBeGreaterThan(20n);
    expect(last[12]! / 2n - last[22]!).toBeLessThan(2n);
    expect(last[12]! % 2n).toBe(0n);
    expect(last[10]! / 60n - last[22]!).toBeLessThan(2n);
    expect(last[26]).toBe(0n);
  });

  test("of M-mode loads nothing from a page that is locked away", () => {
    const [PMPADDR0, PMPADDR1, PMPCFG0] = [0x3b0, 0x3b1, 0x3a0];
    const data = 0x8000_8000;
    const last = onBothTiers(
      (asm) => {
        prologue(asm);
        asm.li(5, -1);
        asm.csrw(PMPADDR1, 5);
        asm.li(5, 0x1f00);
        asm.csrw(PMPCFG0, 5);
        sumInRounds(asm, data, () => {
          asm.li(5, (data >>> 2) | 0x1ff);
          asm.csrw(PMPADDR0, 5);
          asm.li(5, 0x1f98); // L, NAPOT, no rights
          asm.csrw(PMPCFG0, 5);
        });
      },
      BUDGETS,
      registers,
    );
    expect(last[22]).toBeGreaterThan(10n);
    expect(last[10]).toBe(60n);
    expect(last[26]).toBeGreaterThan(60n * (last[22]! - 2n));
  });

  test("of a user runs wherever its pages are mapped, with the addresses that it has there", () => {
    const [first, second, code] = [0xc000_0000, 0x1_0000_0000, 0x600];
    const user = (0x8000_0000n >> 2n) | 0xdfn;
    const last = onBothTiers(
      (asm) => {
        prologue(asm);
        for (const n of [3, 4]) asm.view.setBigUint64(ROOT_TABLE - asm.base + 8 * n, user, true);
        usePageTables(asm);
        asm.csrw(MSTATUS, 0); // MPP: to U-mode
        asm.li(5, first + code);
        asm.csrw(MEPC, 5);
        asm.li(20, first);
        asm.li(21, first + second);
        asm.op("mret");
        asm.pc = asm.base + code;
        asm.label("user");
        asm.i("addi", 9, 9, 1);
        asm.li(8, 30);
        asm.label("loop");
        asm.op("auipc", { rd: 11, imm: 0 });
        asm.r("add", 10, 10, 11); // its own address
        asm.li(12, 3);
        asm.to("jal", "descend", { rd: 1 });
        asm.i("andi", 13, 8, 1); // by a table of two
        asm.i("slli", 13, 13, 3);
        asm.op("auipc", { rd: 14, imm: 0 });
        asm.r("add", 14, 14, 13);
        asm.i("jalr", 0, 14, 12);
        asm.i("addi", 10, 10, 1);
        asm.to("jal", "on", { rd: 0 });
        asm.i("addi", 10, 10, 2);
        asm.label("on");
        asm.i("addi", 8, 8, -1);
        asm.to("bne", "loop", { rs1: 8, rs2: 0 });
        asm.r("sub", 20, 21, 20); // to the same place of the other mapping
        asm.i("addi", 15, 20, code);
        asm.i("jalr", 0, 15, 0);
        asm.label("descend"); // calls itself, and adds up where it came from
        asm.r("add", 10, 10, 1);
        asm.to("beq", "bottom", { rs1: 12, rs2: 0 });
        asm.i("addi", 12, 12, -1);
        asm.i("addi", 22, 1, 0);
        asm.to("jal", "leaf", { rd: 1 });
        asm.i("addi", 1, 22, 0);
        asm.to("jal", "descend", { rd: 0 });
        asm.label("leaf");
        asm.r("xor", 10, 10, 1);
        asm.label("bottom");
        asm.i("jalr", 0, 1, 0);
      },
      Array.from({ length: 30 }, () => 1500),
      registers,
      { size: 0x2_0000 },
    );
    expect(last[9]).toBeGreaterThan(20n);
    expect(last[26]).toBe(0n);
  });

  test("goes over more pages than a region has", () => {
    const pages = 9;
    const last = onBothTiers(
      (asm) => {
        asm.label("page0");
        for (let n = 0; n < pages; n++) {
          if (n > 0) {
            asm.pc = asm.base + n * 0x1000;
            asm.label(`page${n}`);
          }
          asm.i("addi", 10, 10, n);
          asm.r("xor", 11, 11, 10);
          asm.to("jal", `page${(n + 1) % pages}`, { rd: 0 });
        }
      },
      BUDGETS,
      registers,
    );
    expect(last[10]).toBeGreaterThan(20_000n);
  });

  test("goes through more blocks and instructions than a region has", () => {
    const blocks = 900;
    const last = onBothTiers(
      (asm) => {
        asm.label("loop");
        asm.i("addi", 8, 8, 1);
        for (let n = 0; n < blocks; n++) {
          // Taken or not by bits of a number that changes with each round.
          asm.i("srli", 9, 12, n % 50);
          asm.i("andi", 9, 9, 1);
          asm.to("beq", `skip${n}`, { rs1: 9, rs2: 0 });
          asm.i("addi", 10, 10, n % 7);
          asm.label(`skip${n}`);
        }
        asm.r("add", 12, 12, 10);
        asm.i("slli", 13, 12, 13);
        asm.r("xor", 12, 12, 13);
        asm.to("jal", "loop", { rd: 0 });
      },
      Array.from({ length: 12 }, () => 20_000),
      registers,
    );
    expect(last[8]).toBeGreaterThan(50n);
  });
});
