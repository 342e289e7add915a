// The M-mode side of a fuzz program: its start, and the entry of all traps. A trap is counted and hashed into the hart's
// save area, and the instruction skipped; an ecall is one of the services below; a fetch that faults begins the next
// turn of the program's main loop.
import type { Assembler } from "../generator/assembler.ts";
import { RAM_BYTES } from "../generator/machines.ts";
import { CODE, RAM, SAVES, Save, STACK_SIZE, STACKS, TABLES, WINDOW_SIZE } from "./map.ts";
import { FUEL, type Spec, STACK, TURN } from "./spec.ts";

const FINISHER = 0x10_0000;
const CLINT = 0x200_0000;
const MPP = 3 << 11;
const MPRV = 1 << 17;
const MXR = 1 << 19;
const SUM = 1 << 18;
const FS = 3 << 13;

/** Offsets from TABLES: registers at the start, then 32-byte records. */
export const enum Table {
  REGISTERS = 0,
  CONTEXTS = 0x400,
  EDITS = 0x600,
  MARKERS = 0xa00,
}
export const RECORDS = 16;
export const MARKERS = 64;

const enum Csr {
  SATP = 0x180,
  MSTATUS = 0x300,
  MIE = 0x304,
  MTVEC = 0x305,
  MCOUNTEREN = 0x306,
  SCOUNTEREN = 0x106,
  MENVCFG = 0x30a,
  MSCRATCH = 0x340,
  MEPC = 0x341,
  MCAUSE = 0x342,
  PMPCFG0 = 0x3a0,
  PMPADDR0 = 0x3b0,
  MHARTID = 0xf14,
}

export function writeTrapEntry(asm: Assembler, spec: Spec): void {
  asm.to("jal", "start", { rd: 0 });
  asm.align(4);
  writeEntry(asm);
  writeServices(asm, spec);
  writeStart(asm, spec);
  if (asm.pc > SAVES) throw new Error("the trap entry has grown into the save areas");
}

function writeStart(asm: Assembler, spec: Spec): void {
  asm.label("start");
  asm.csrr(30, Csr.MHARTID);
  asm.i("slli", 29, 30, 12);
  asm.li(31, SAVES);
  asm.r("add", 31, 31, 29);
  asm.csrw(Csr.MSCRATCH, 31);
  asm.li(28, STACKS + STACK_SIZE);
  asm.i("slli", 29, 30, 15);
  asm.r("add", 28, 28, 29);
  asm.store("sd", 28, Save.STACK, 31);
  asm.li(28, RAM);
  asm.store("sd", 28, Save.WINDOW, 31);
  const set = (csr: number, value: bigint | number) => {
    asm.li(28, value);
    asm.csrw(csr, 28);
  };
  set(Csr.MTVEC, RAM + 4);
  if (spec.portable) {
    // What can be fetched from around RAM is different, as QEMU's windows of PCI: no mode may, by locked entries.
    set(Csr.PMPADDR0, RAM / 4);
    set(Csr.PMPADDR0 + 1, (RAM + RAM_BYTES) / 4);
    set(Csr.PMPADDR0 + 2, -1);
    set(Csr.PMPCFG0, 0x9b0f8b);
  } else {
    set(Csr.PMPADDR0, -1);
    set(Csr.PMPCFG0, 0x1f);
  }
  set(Csr.MCOUNTEREN, -1);
  set(Csr.SCOUNTEREN, -1);
  set(Csr.MENVCFG, ((spec.adue ? 1n : 0n) << 61n) | (1n << 62n));
  set(Csr.MIE, spec.portable ? 0 : (1 << 3) | (1 << 7));
  set(Csr.MSTATUS, MPP | FS | (1 << 7));
  asm.li(31, TABLES);
  for (let n = 0; n < 32; n++) asm.load("fld", n, Table.REGISTERS + 256 + 8 * n, 31);
  asm.li(28, spec.registers.fcsr);
  asm.csrw(3, 28);
  asm.li(28, FS);
  asm.op("csrrc", { rd: 0, rs1: 28, imm: Csr.MSTATUS });
  asm.li(28, spec.registers.fs << 13);
  asm.op("csrrs", { rd: 0, rs1: 28, imm: Csr.MSTATUS });
  asm.li(28, CODE);
  asm.csrw(Csr.MEPC, 28);
  for (let n = 1; n < 32; n++) if (n !== STACK && n !== 31) asm.load("ld", n, Table.REGISTERS + 8 * n, 31);
  asm.csrr(STACK, Csr.MSCRATCH);
  asm.load("ld", STACK, Save.STACK, STACK);
  asm.load("ld", 31, Table.REGISTERS + 8 * 31, 31);
  asm.csrr(TURN, Csr.MHARTID);
  asm.op("mret");
}

/** In services x31 is the save area, x28 to x30 are free, x16 is the argument. */
function writeEntry(asm: Assembler): void {
  asm.op("csrrw", { rd: 31, rs1: 31, imm: Csr.MSCRATCH });
  asm.store("sd", 28, Save.X28, 31);
  asm.store("sd", 29, Save.X29, 31);
  asm.store("sd", 30, Save.X30, 31);
  asm.csrr(28, Csr.MCAUSE);
  asm.load("ld", 30, Save.TRAPS, 31);
  asm.i("addi", 30, 30, 1);
  asm.store("sd", 30, Save.TRAPS, 31);
  asm.to("blt", "interrupt", { rs1: 28, rs2: 0 });
  // QEMU 7.2 calls some faults of AMOs a load's: 4, 5 and 13 count as 6, 7 and 15.
  asm.i("addi", 30, 28, -13);
  asm.to("beq", "as-store", { rs1: 30, rs2: 0 });
  asm.i("andi", 30, 28, -2);
  asm.i("addi", 30, 30, -4);
  asm.to("bne", "hash", { rs1: 30, rs2: 0 });
  asm.label("as-store");
  asm.i("addi", 28, 28, 2);
  asm.label("hash");
  asm.load("ld", 29, Save.HASH, 31);
  asm.csrr(30, Csr.MEPC);
  asm.r("add", 29, 29, 30);
  asm.i("slli", 30, 29, 13);
  asm.r("xor", 29, 29, 30);
  asm.i("srli", 30, 29, 7);
  asm.r("xor", 29, 29, 30);
  asm.r("add", 29, 29, 28);
  asm.store("sd", 29, Save.HASH, 31);
  asm.i("andi", 30, 28, -4);
  asm.i("addi", 30, 30, -8);
  asm.to("beq", "call", { rs1: 30, rs2: 0 }); // ecalls are 8, 9 and 11
  asm.i("sltiu", 30, 28, 2);
  asm.to("bne", "recover", { rs1: 30, rs2: 0 });
  asm.label("not-access");
  asm.i("addi", 30, 28, -12);
  asm.to("beq", "recover", { rs1: 30, rs2: 0 });
  asm.label("skip"); // its length is read as the trapped mode sees it
  asm.li(29, MPRV | MXR | SUM);
  asm.op("csrrs", { rd: 29, rs1: 29, imm: Csr.MSTATUS });
  asm.csrr(30, Csr.MEPC);
  asm.load("lhu", 28, 0, 30);
  asm.csrw(Csr.MSTATUS, 29);
  asm.i("andi", 28, 28, 3);
  asm.i("sltiu", 28, 28, 3);
  asm.i("xori", 28, 28, 1);
  asm.i("slli", 28, 28, 1);
  asm.i("addi", 28, 28, 2);
  asm.to("jal", "advance", { rd: 0 });
  asm.label("next");
  asm.i("addi", 28, 0, 4);
  asm.label("advance");
  asm.csrr(30, Csr.MEPC);
  asm.r("add", 30, 30, 28);
  asm.label("leave"); // for x30
  asm.csrw(Csr.MEPC, 30);
  asm.label("leave-here");
  asm.load("ld", 28, Save.X28, 31);
  asm.load("ld", 29, Save.X29, 31);
  asm.load("ld", 30, Save.X30, 31);
  asm.op("csrrw", { rd: 31, rs1: 31, imm: Csr.MSCRATCH });
  asm.op("mret");

  asm.label("recover");
  asm.i("addi", FUEL, FUEL, -1);
  asm.load("ld", STACK, Save.STACK, 31);
  asm.load("ld", 30, Save.WINDOW, 31);
  asm.li(29, CODE - RAM);
  asm.r("add", 30, 30, 29);
  asm.to("jal", "leave", { rd: 0 });

  // A timer interrupt sets the timer anew, some ticks ahead, at most 100 times.
  asm.label("interrupt");
  asm.i("andi", 29, 28, 7);
  asm.i("addi", 29, 29, -3);
  asm.to("beq", "software", { rs1: 29, rs2: 0 });
  asm.load("ld", 28, Save.ALARMS, 31);
  asm.i("addi", 28, 28, 1);
  asm.store("sd", 28, Save.ALARMS, 31);
  asm.i("slti", 29, 28, 100);
  asm.i("addi", 29, 29, -1); // -1: never again
  asm.load("ld", 30, Save.RANDOM, 31);
  asm.i("slli", 28, 30, 5);
  asm.r("sub", 30, 28, 30);
  asm.i("addi", 30, 30, 77);
  asm.store("sd", 30, Save.RANDOM, 31);
  asm.i("srli", 30, 30, 3);
  asm.i("andi", 30, 30, 127);
  asm.label("arm"); // x30 ticks from now, or x29 = -1
  asm.li(28, CLINT + 0xbff8);
  asm.load("ld", 28, 0, 28);
  asm.r("add", 30, 30, 28);
  asm.r("or", 30, 30, 29);
  asm.csrr(28, Csr.MHARTID);
  asm.i("slli", 28, 28, 3);
  asm.li(29, CLINT + 0x4000);
  asm.r("add", 28, 28, 29);
  asm.store("sd", 30, 0, 28);
  asm.to("jal", "leave-here", { rd: 0 });
  asm.label("software");
  asm.csrr(28, Csr.MHARTID);
  asm.i("slli", 28, 28, 2);
  asm.li(29, CLINT);
  asm.r("add", 28, 28, 29);
  asm.store("sw", 0, 0, 28);
  asm.to("jal", "leave-here", { rd: 0 });
}

/** x28 = address of record x16 of a table. */
function record(asm: Assembler, table: Table, count: number): void {
  asm.i("andi", 28, 16, count - 1);
  asm.i("slli", 28, 28, 5);
  asm.li(29, TABLES + table);
  asm.r("add", 28, 28, 29);
}

function writeServices(asm: Assembler, spec: Spec): void {
  asm.label("call");
  const services = ["exit", "context", "edit", "patch", "timer", "float", "ipi"];
  for (const [n, name] of services.entries()) {
    asm.i("addi", 30, 17, -n);
    asm.to("beq", name, { rs1: 30, rs2: 0 });
  }
  asm.to("jal", "next", { rd: 0 });

  // satp, bits of mstatus to clear, bits to set, window.
  asm.label("context");
  record(asm, Table.CONTEXTS, RECORDS);
  asm.load("ld", 29, 8, 28);
  asm.op("csrrc", { rd: 0, rs1: 29, imm: Csr.MSTATUS });
  asm.load("ld", 29, 16, 28);
  asm.op("csrrs", { rd: 0, rs1: 29, imm: Csr.MSTATUS });
  asm.load("ld", 29, 0, 28);
  asm.csrw(Csr.SATP, 29);
  asm.op("sfence.vma", { rs1: 0, rs2: 0 });
  asm.load("ld", 28, 24, 28);
  asm.store("sd", 28, Save.WINDOW, 31);
  asm.csrr(30, Csr.MEPC);
  asm.li(29, WINDOW_SIZE - 1);
  asm.r("and", 30, 30, 29);
  asm.r("add", 30, 30, 28);
  asm.i("addi", 30, 30, 4);
  asm.to("jal", "leave", { rd: 0 });

  // PTE's address, the PTE that is not in force, virtual address, kind of fence.
  asm.label("edit");
  record(asm, Table.EDITS, RECORDS);
  asm.load("ld", 29, 0, 28);
  asm.to("beq", "next", { rs1: 29, rs2: 0 });
  asm.load("ld", 30, 8, 28);
  asm.store("sd", 28, Save.X, 31);
  asm.load("ld", 28, 0, 29);
  asm.store("sd", 30, 0, 29);
  asm.i("addi", 30, 28, 0);
  asm.load("ld", 28, Save.X, 31);
  asm.store("sd", 30, 8, 28);
  asm.load("ld", 29, 24, 28);
  asm.load("ld", 30, 16, 28);
  asm.to("bne", "one-page", { rs1: 29, rs2: 0 });
  asm.op("sfence.vma", { rs1: 0, rs2: 0 });
  asm.to("jal", "next", { rd: 0 });
  asm.label("one-page");
  asm.op("sfence.vma", { rs1: 30, rs2: 0 });
  asm.to("jal", "next", { rd: 0 });

  // Address of the marker's upper half, what to exclusive-or into it.
  asm.label("patch");
  record(asm, Table.MARKERS, MARKERS);
  asm.load("ld", 29, 0, 28);
  asm.to("beq", "next", { rs1: 29, rs2: 0 });
  asm.load("ld", 30, 8, 28);
  asm.load("lhu", 28, 0, 29);
  asm.r("xor", 28, 28, 30);
  asm.store("sh", 28, 0, 29);
  if (spec.budgets & 2) asm.op("fence.i");
  asm.to("jal", "next", { rd: 0 });

  asm.label("timer");
  asm.i("addi", 30, 0, 4);
  asm.csrr(28, Csr.MEPC);
  asm.r("add", 28, 28, 30);
  asm.csrw(Csr.MEPC, 28);
  asm.i("addi", 30, 16, 0);
  asm.i("addi", 29, 0, 0);
  asm.to("jal", "arm", { rd: 0 });

  asm.label("float");
  asm.li(28, FS);
  asm.op("csrrc", { rd: 0, rs1: 28, imm: Csr.MSTATUS });
  asm.i("andi", 28, 16, 3);
  asm.i("slli", 28, 28, 13);
  asm.op("csrrs", { rd: 0, rs1: 28, imm: Csr.MSTATUS });
  asm.to("jal", "next", { rd: 0 });

  asm.label("ipi");
  asm.i("andi", 28, 16, spec.harts - 1);
  asm.i("slli", 28, 28, 2);
  asm.li(29, CLINT);
  asm.r("add", 28, 28, 29);
  asm.i("addi", 29, 0, 1);
  asm.store("sw", 29, 0, 28);
  asm.to("jal", "next", { rd: 0 });

  asm.label("exit");
  for (let n = 1; n < 28; n++) asm.store("sd", n, Save.X + 8 * n, 31);
  for (let n = 28; n < 31; n++) {
    asm.load("ld", 5, 8 * (n - 28), 31);
    asm.store("sd", 5, Save.X + 8 * n, 31);
  }
  asm.csrr(5, Csr.MSCRATCH);
  asm.store("sd", 5, Save.X + 8 * 31, 31);
  asm.li(5, FS);
  asm.op("csrrs", { rd: 0, rs1: 5, imm: Csr.MSTATUS });
  for (let n = 0; n < 32; n++) asm.store("fsd", n, Save.F + 8 * n, 31);
  asm.csrr(5, 3);
  asm.store("sd", 5, Save.FCSR, 31);
  asm.li(5, FINISHER);
  asm.li(6, 0x5555);
  asm.store("sw", 6, 0, 5);
  asm.label("stop");
  asm.to("jal", "stop", { rd: 0 });
}

/** mstatus bits that a context clears and sets. */
export function statusOf(mode: number, status: number): { clear: number; set: number } {
  return { clear: MPP | SUM | MXR, set: (mode << 11) | status };
}
