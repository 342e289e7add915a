// Smaia and Ssaia, held to the Advanced Interrupt Architecture 1.0: registers through the debugger's
// eyes, then programs on both tiers that take their interrupts.
import { beforeEach, describe, expect, test } from "vitest";
import { Ext } from "../../assembly/abi/ext.ts";
import { Irqchip } from "../../assembly/abi/layout.ts";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Register } from "../../src/engine/exports.ts";
import { ALL_EXTENSIONS } from "../../src/machine/cpu.ts";
import { Assembler } from "./generator/assembler.ts";
import { type EngineOptions, startEngine } from "./generator/machines.ts";
import { grantMemory } from "./generator/prologue.ts";
import { onBothTiers, registers } from "./generator/tiers.ts";

const [SSTATUS, SIE, STVEC, SCAUSE, SIP] = [0x100, 0x104, 0x105, 0x142, 0x144];
const [SISELECT, SIREG, STOPEI, STOPI] = [0x150, 0x151, 0x15c, 0xdb0];
const [MISELECT, MIREG, MTOPEI, MTOPI] = [0x350, 0x351, 0x35c, 0xfb0];
const [MSTATUS, MIDELEG, MIE, MTVEC, MVIEN, MVIP, MIP, MCAUSE, MEPC] = [
  0x300, 0x303, 0x304, 0x305, 0x308, 0x309, 0x344, 0x342, 0x341,
];
const [SSI, STI, SEI, MEI] = [1n << 1n, 1n << 5n, 1n << 9n, 1n << 11n];
const STCE = 1n << 63n;
const AIA: EngineOptions = { irqchip: Irqchip.AIA };

/** CSRs of a hart, as M-mode reads and writes them. */
class Csrs {
  readonly engine: Engine;
  constructor(options: EngineOptions = AIA) {
    this.engine = startEngine(new Uint8Array(4096), options);
  }
  get(n: number): bigint {
    return BigInt.asUintN(64, this.engine.exports.getReg(0, Register.CSR + n));
  }
  /** False where the access is illegal. */
  set(n: number, value: bigint | number): boolean {
    return Boolean(this.engine.exports.setReg(0, Register.CSR + n, BigInt.asUintN(64, BigInt(value))));
  }
  /** A register behind a window; undefined where the access is illegal. */
  selected(level: "m" | "s", register: number, value?: bigint | number): bigint | undefined {
    const [select, window] = level === "m" ? [MISELECT, MIREG] : [SISELECT, SIREG];
    this.set(select, register);
    const legal = this.set(window, value ?? 0n);
    return legal ? this.get(window) : undefined;
  }
}

describe("registers", () => {
  let c: Csrs;
  beforeEach(() => {
    c = new Csrs();
  });

  test.each(["m", "s"] as const)(
    "the window of %s-level: nine bits, iprio of zeros, the IMSIC, and nothing else",
    (level) => {
      const select = level === "m" ? MISELECT : SISELECT;
      c.set(select, -1);
      expect(c.get(select)).toBe(0x1ffn);
      const legal = (register: number) => c.selected(level, register) !== undefined;
      const numbers = Array.from({ length: 0x200 }, (_, n) => n);
      const exists = (n: number) =>
        (n >= 0x30 && n < 0x40 && n % 2 === 0) || (n >= 0x70 && n < 0x80) || (n >= 0x80 && n < 0x100 && n % 2 === 0);
      expect(numbers.filter(legal)).toEqual(numbers.filter(exists));
      expect(c.selected(level, 0x32, -1)).toBe(0n);
      expect(c.selected(level, 0x70, 1)).toBe(1n);
      expect(c.selected(level, 0x72, 77)).toBe(77n);
      expect(c.selected(level, 0x80, -1)).toBe(0xffff_ffff_ffff_fffen);
      expect(c.selected(level, 0xc6, 5)).toBe(5n);
      expect(c.selected(level, 0xc8, -1)).toBe(0n); // past identity 255
      expect(c.selected(level, 0x71, -1)).toBe(0n);
    },
  );

  test("the top external interrupt is claimed by a write of anything", () => {
    for (const [level, topei] of [
      ["m", MTOPEI],
      ["s", STOPEI],
    ] as const) {
      c.selected(level, 0xc0, -1);
      c.selected(level, 0x80, (1n << 9n) | (1n << 3n));
      expect(c.get(topei)).toBe(0x3_0003n);
      c.set(topei, 0x9_0009);
      expect(c.get(topei)).toBe(0x9_0009n);
      c.set(topei, 0);
      expect([c.get(topei), c.set(topei, 0)]).toEqual([0n, true]);
    }
  });

  test("delivery raises MEIP and SEIP, which mtopi and stopi tell of in the order of their urgency", () => {
    for (const level of ["m", "s"] as const) {
      c.selected(level, 0xc0, -1);
      c.selected(level, 0x80, 2);
    }
    expect(c.get(MIP) & (MEI | SEI)).toBe(0n);
    c.selected("m", 0x70, 1);
    c.selected("s", 0x70, 1);
    expect(c.get(MIP) & (MEI | SEI)).toBe(MEI | SEI);
    c.set(MIP, SSI);
    expect([c.get(MTOPI), c.get(STOPI)]).toEqual([0n, 0n]);
    c.set(MIE, MEI | SEI | SSI);
    expect([c.get(MTOPI), c.get(STOPI)]).toEqual([0xb_0001n, 0n]);
    c.set(MIDELEG, SEI | SSI);
    expect([c.get(MTOPI), c.get(STOPI)]).toEqual([0xb_0001n, 0x9_0001n]);
    c.set(STOPEI, 0);
    c.set(MTOPEI, 0);
    expect([c.get(MTOPI), c.get(STOPI)]).toEqual([0n, 0x1_0001n]);
  });

  test("mvip is the software's part of mip until mvien sets a bit apart", () => {
    c.set(MVIP, -1);
    expect([c.get(MVIP), c.get(MIP) & (SSI | STI | SEI)]).toEqual([SSI | STI | SEI, SSI | STI | SEI]);
    c.set(0x30a, STCE);
    expect(c.get(MVIP)).toBe(SSI | SEI); // STIP is the timer's then
    c.set(MVIP, 0);
    c.set(0x30a, 0);
    c.set(MIP, -1);
    expect(c.get(MVIP)).toBe(SSI | STI | SEI);
    c.set(MIP, 0);
    c.set(MVIEN, -1);
    expect(c.get(MVIEN)).toBe(SSI | SEI);
    c.set(MVIP, -1);
    expect([c.get(MVIP), c.get(MIP)]).toEqual([SSI | STI | SEI, STI]);
    c.set(MIP, -1); // SEIP is read-only there now
    c.set(MVIP, 0);
    expect([c.get(MVIP), c.get(MIP)]).toEqual([0n, SSI]);
  });

  test("sip and sie follow mideleg, then mvien", () => {
    c.set(MVIEN, SSI | SEI);
    c.set(MVIP, SSI | SEI);
    expect([c.get(SIP), c.get(SIE)]).toEqual([SSI | SEI, 0n]);
    c.set(SIE, -1);
    expect([c.get(SIE), c.get(MIE)]).toEqual([SSI | SEI, 0n]);
    expect([c.get(STOPI), c.get(MTOPI)]).toEqual([0x9_0001n, 0n]);
    c.set(SIP, 0); // SSIP can be written there, SEIP cannot
    expect([c.get(MVIP), c.get(STOPI)]).toEqual([SEI, 0x9_0001n]);
    c.set(MIDELEG, SSI | SEI);
    expect([c.get(SIP), c.get(SIE), c.get(STOPI)]).toEqual([0n, 0n, 0n]);
    c.set(SIE, -1);
    expect(c.get(MIE)).toBe(SSI | SEI);
    c.set(MVIEN, 0);
    c.set(MIDELEG, 0);
    expect([c.get(SIP), c.get(SIE)]).toEqual([0n, 0n]);
  });

  test("without an IMSIC its registers do not exist, without the extensions nothing of this does", () => {
    const plic = new Csrs({});
    expect([MTOPEI, STOPEI].map((n) => plic.set(n, 0))).toEqual([false, false]);
    expect([plic.selected("m", 0x70), plic.selected("s", 0x80), plic.selected("s", 0x30)]).toEqual([
      undefined,
      undefined,
      0n,
    ]);
    const supervisor = [SISELECT, SIREG, STOPEI, STOPI];
    const machine = [MISELECT, MIREG, MTOPEI, MTOPI, MVIEN, MVIP];
    const without = (...off: Ext[]) => {
      const csrs = new Csrs({
        ...AIA,
        extensions: off.reduce((bits, ext) => bits & ~(1n << BigInt(ext)), ALL_EXTENSIONS),
      });
      for (const n of [SISELECT, MISELECT]) csrs.set(n, 0x70);
      return [...supervisor, ...machine].filter((n) => csrs.set(n, 0x70));
    };
    expect(without(Ext.SMAIA, Ext.SSAIA)).toEqual([]);
    expect(without(Ext.SMAIA)).toEqual(supervisor);
    expect(without(Ext.SSAIA)).toEqual(machine);
  });
});

// --- programs ---

/** Handlers: M-mode's counts in s2 and keeps the cause in s3, S-mode's in s4 and s5. Then S-mode at `body`. */
function inSupervisorMode(asm: Assembler, setUp: () => void, body: () => void): void {
  asm.to("jal", "start", { rd: 0 });
  asm.align(4);
  asm.label("machine");
  asm.i("addi", 18, 18, 1);
  asm.csrr(19, MCAUSE);
  asm.csrr(30, MEPC);
  asm.i("addi", 30, 30, 4);
  asm.csrw(MEPC, 30);
  asm.op("mret");
  asm.align(4);
  asm.label("supervisor");
  asm.i("addi", 20, 20, 1);
  asm.csrr(21, SCAUSE);
  asm.csrr(22, STOPI);
  asm.op("csrrw", { rd: 23, rs1: 0, imm: STOPEI }); // claims
  asm.op("csrrci", { rd: 0, uimm: 2, imm: SIP });
  asm.op("sret");
  asm.label("start");
  grantMemory(asm);
  asm.li(5, asm.labels.get("machine")!);
  asm.csrw(MTVEC, 5);
  asm.li(5, asm.labels.get("supervisor")!);
  asm.csrw(STVEC, 5);
  setUp();
  asm.op("auipc", { rd: 5, imm: 0 });
  asm.i("addi", 5, 5, 28);
  asm.csrw(MEPC, 5);
  asm.li(5, 0x800);
  asm.csrw(MSTATUS, 5);
  asm.op("mret");
  body();
  asm.label("end");
  asm.to("jal", "end", { rd: 0 });
}

function openFile(asm: Assembler): void {
  for (const [register, value] of [
    [0x70, 1],
    [0xc0, -1],
  ]) {
    asm.li(5, register);
    asm.csrw(SISELECT, 5);
    asm.li(5, value);
    asm.csrw(SIREG, 5);
  }
}

const BUDGETS = [1, 2, 3, ...Array.from({ length: 40 }, () => 50)];
const INTERRUPT = 1n << 63n;

describe("interrupts", () => {
  test("a message to the hart's own page is a supervisor external interrupt, claimed once", () => {
    const last = onBothTiers(
      (asm) =>
        inSupervisorMode(
          asm,
          () => {
            asm.li(5, SEI);
            asm.csrw(MIDELEG, 5);
          },
          () => {
            openFile(asm);
            asm.li(5, SEI);
            asm.csrw(SIE, 5);
            asm.op("csrrsi", { rd: 0, uimm: 2, imm: SSTATUS });
            asm.li(6, Board.IMSIC_S);
            asm.li(7, 33);
            asm.store("sw", 7, 0, 6);
            asm.i("addi", 8, 20, 0); // already taken
          },
        ),
      BUDGETS,
      registers,
      AIA,
    );
    expect(last.slice(18, 24)).toEqual(
      [0n, 0n, 1n, INTERRUPT | 9n, 0x9_0001n, 0x21_0021n].map((v) => BigInt.asIntN(64, v)),
    );
    expect(last[8]).toBe(1n);
  });

  test("WFI ends for it, with interrupts off", () => {
    const last = onBothTiers(
      (asm) =>
        inSupervisorMode(
          asm,
          () => {
            asm.li(5, SEI);
            asm.csrw(MIDELEG, 5);
          },
          () => {
            openFile(asm);
            asm.li(5, SEI);
            asm.csrw(SIE, 5);
            asm.li(6, Board.IMSIC_S);
            asm.li(7, 5);
            asm.store("sw", 7, 0, 6);
            asm.op("wfi");
            asm.i("addi", 8, 8, 1);
            asm.csrr(9, STOPEI);
            asm.op("csrrw", { rd: 0, rs1: 0, imm: STOPEI });
            asm.op("wfi"); // no more
            asm.i("addi", 8, 8, 1);
          },
        ),
      BUDGETS,
      registers,
      AIA,
    );
    expect([last[8], last[9], last[20]]).toEqual([1n, 0x5_0005n, 0n]);
  });

  test("a virtual software interrupt traps to S-mode although it is not delegated, and ends WFI", () => {
    const last = onBothTiers(
      (asm) =>
        inSupervisorMode(
          asm,
          () => {
            asm.li(5, SSI);
            asm.csrw(MVIEN, 5);
            asm.csrw(MVIP, 5);
          },
          () => {
            asm.op("csrrsi", { rd: 0, uimm: 2, imm: SIE });
            asm.op("wfi");
            asm.i("addi", 8, 8, 1);
            asm.op("csrrsi", { rd: 0, uimm: 2, imm: SSTATUS });
            asm.i("addi", 9, 20, 0);
          },
        ),
      BUDGETS,
      registers,
      AIA,
    );
    // The handler's claim finds nothing.
    expect(last.slice(18, 24)).toEqual([0n, 0n, 1n, INTERRUPT | 1n, 0x1_0001n, 0n].map((v) => BigInt.asIntN(64, v)));
    expect([last[8], last[9]]).toEqual([1n, 1n]);
  });

  test("M-mode keeps the supervisor's file from S-mode with mvien, but not its iprio", () => {
    const illegal = (mvien: bigint, select: number, csr: number) =>
      onBothTiers(
        (asm) =>
          inSupervisorMode(
            asm,
            () => {
              asm.li(5, mvien);
              asm.csrw(MVIEN, 5);
            },
            () => {
              asm.li(5, select);
              asm.csrw(SISELECT, 5);
              asm.csrr(6, csr);
            },
          ),
        BUDGETS,
        registers,
        AIA,
      ).slice(18, 20);
    expect(illegal(SEI, 0x70, SIREG)).toEqual([1n, 2n]);
    expect(illegal(SEI, 0x80, STOPEI)).toEqual([1n, 2n]);
    expect(illegal(SEI, 0x30, SIREG)).toEqual([0n, 0n]);
    expect(illegal(SSI, 0x70, SIREG)).toEqual([0n, 0n]);
    expect(illegal(SSI, 0x70, MIREG)).toEqual([1n, 2n]); // as S-mode may no machine-level CSR
  });

  test("a write to another hart's page raises its line alone, and wakes it", () => {
    const asm = new Assembler(4096);
    asm.li(6, Board.IMSIC_S + Board.IMSIC_PAGE);
    asm.li(7, 1);
    asm.store("sw", 7, 0, 6);
    asm.label("here");
    asm.to("jal", "here", { rd: 0 });
    asm.pc = 0x8000_0800;
    asm.op("wfi");
    asm.i("addi", 8, 8, 1);
    asm.op("wfi"); // still pending: no wait
    asm.to("jal", "there", { rd: 0 });
    asm.label("there");
    asm.to("jal", "there", { rd: 0 });
    const { exports } = startEngine(asm.finish(), { ...AIA, harts: 2 });
    exports.startHart(1, 0x8000_0800n, 0n, 0n, 0n, 3);
    for (const [csr, value] of [
      [MIE, SEI],
      [SISELECT, 0x70n],
      [SIREG, 1n],
      [SISELECT, 0xc0n],
      [SIREG, 2n],
    ] as const) {
      exports.setReg(1, Register.CSR + csr, value);
    }
    expect([exports.isWaiting(1), exports.getReg(1, 8)]).toEqual([0, 0n]);
    for (let n = 0; n < 4; n++) exports.run(50_000);
    expect([0, 1].map((hart) => exports.getReg(hart, Register.CSR + MIP) & SEI)).toEqual([0n, SEI]);
    expect(exports.getReg(1, 8)).toBe(1n);
  });
});
