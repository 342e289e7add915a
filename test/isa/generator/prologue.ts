// Beginnings of directed programs: a handler of traps, and the ways to S-mode and U-mode. They use x5, the handler x26, x30 and x31.
import type { Assembler } from "./assembler.ts";

const [MTVEC, MEPC, MCAUSE, MSTATUS, PMPADDR0, PMPCFG0, SATP] = [0x305, 0x341, 0x342, 0x300, 0x3b0, 0x3a0, 0x180];

/** Where the first page table is, behind which others may be. */
export const ROOT_TABLE = 0x8001_0000;

/** A handler that counts in s10 and goes on behind the instruction; then to `start` in M-mode, with all memory granted. */
export function prologue(asm: Assembler): void {
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
  grantMemory(asm);
}

/** All memory, to all modes. */
export function grantMemory(asm: Assembler): void {
  asm.li(5, -1);
  asm.csrw(PMPADDR0, 5);
  asm.li(5, 0x1f);
  asm.csrw(PMPCFG0, 5);
}

/** Goes on in U-mode with the next instruction. */
export function toUser(asm: Assembler): void {
  asm.op("auipc", { rd: 5, imm: 0 });
  asm.i("addi", 5, 5, 20);
  asm.csrw(MEPC, 5);
  asm.csrw(MSTATUS, 0);
  asm.op("mret");
}

/** Turns Sv39 on for the modes below, by the table at ROOT_TABLE. */
export function usePageTables(asm: Assembler): void {
  asm.li(5, (8n << 60n) | BigInt(ROOT_TABLE >>> 12));
  asm.csrw(SATP, 5);
  asm.op("sfence.vma", { rs1: 0, rs2: 0 });
}

/** Goes on in S-mode at 0x8000_0400: addresses are physical ones, and from 0xc000_0000 on the same pages are a user's. */
export function toSupervisor(asm: Assembler): void {
  const gigapage = 0x8000_0000n >> 2n;
  asm.view.setBigUint64(ROOT_TABLE - asm.base + 8 * 2, gigapage | 0xcfn, true);
  asm.view.setBigUint64(ROOT_TABLE - asm.base + 8 * 3, gigapage | 0xdfn, true);
  usePageTables(asm);
  asm.li(5, 0x800);
  asm.csrw(MSTATUS, 5);
  asm.li(5, 0x8000_0400);
  asm.csrw(MEPC, 5);
  asm.op("mret");
  asm.pc = 0x8000_0400;
}
