// Turns what is known about a guest that can go no further into a GuestCrash: the address
// of the failing instruction, why it trapped, and its text.
import { Machine } from "../../assembly/abi/layout.ts";
import type { Engine } from "../engine/engine.ts";
import { Register } from "../engine/exports.ts";
import type { Inspect } from "../engine/inspect.ts";
import { type CrashSite, GuestCrash } from "../errors.ts";
import type { PanicWatch } from "./panic.ts";

const enum Csr {
  SCAUSE = 0x142,
  STVAL = 0x143,
}

/** `access` of translate(): an instruction fetch. */
const FETCH = 0;
/** Privilege modes, as translate() takes them. */
const SUPERVISOR = 1;
const USER = 0;

function causeName(inspect: Inspect, cause: bigint): string {
  const code = Number(BigInt.asUintN(32, cause));
  return BigInt.asUintN(64, cause) >> 63n ? inspect.interruptName(code) : inspect.exceptionName(code);
}

function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}

/** The instruction at guest virtual address `pc` as `mode` sees it, or undefined if it cannot be read. */
function instructionAt(engine: Engine, hart: number, pc: bigint, mode: number): number | undefined {
  let insn = 0;
  // Two halves: the second may lie in another page, and is not there for a 16-bit instruction.
  for (const half of [0n, 2n]) {
    const physical = engine.exports.translate(hart, BigInt.asIntN(64, pc + half), FETCH, mode);
    const bytes = physical < 0n ? undefined : engine.physical(Number(physical), 2);
    if (bytes === undefined) return undefined;
    insn |= (bytes[0] | (bytes[1] << 8)) << (half === 0n ? 0 : 16);
    if ((insn & 3) !== 3) break;
  }
  return insn >>> 0;
}

function disassemble(engine: Engine, inspect: Inspect, hart: number, pc: bigint): string | undefined {
  // The instruction may be of a lower privilege than what the hart went into because of it:
  // a kernel that panicked asks firmware to reset the machine.
  const modes = [engine.exports.getMode(hart), SUPERVISOR, USER];
  const insn = modes.map((mode) => instructionAt(engine, hart, pc, mode)).find((it) => it !== undefined);
  if (insn === undefined) return undefined;
  const address = BigInt.asUintN(64, pc);
  return inspect.disassemble(Number(address & 0xffff_ffffn), Number(address >> 32n), insn);
}

function describe(inspect: Inspect, site: CrashSite): string {
  const parts = [`hart ${site.hart}`];
  if (site.pc !== undefined) {
    const address = BigInt.asUintN(64, site.pc);
    const symbol = inspect.symbolize(Number(address & 0xffff_ffffn), Number(address >> 32n));
    const where = symbol === "" ? "" : ` in ${symbol}`;
    parts.push(`pc ${hex(site.pc)}${where}${site.disassembly ? ` (${site.disassembly})` : ""}`);
  }
  if (site.cause !== undefined) {
    // The name tells interrupts and exceptions apart, so bit 63 is left out of the number.
    parts.push(`cause ${BigInt.asUintN(63, site.cause)} (${causeName(inspect, site.cause)})`);
  }
  if (site.tval !== undefined) parts.push(`tval ${hex(site.tval)}`);
  return parts.join(", ");
}

/** A kernel that panicked, from its own report where it gave one, else from the hart's last trap. */
export function panicCrash(engine: Engine, inspect: Inspect, watch: PanicWatch): GuestCrash {
  const { reason, ...reported } = watch.report();
  const hart = engine.exitHart;
  const pc = reported.pc ?? engine.exports.getReg(hart, Register.PC);
  const cause = reported.cause ?? engine.exports.getReg(hart, Register.CSR + Csr.SCAUSE);
  const tval = reported.tval ?? engine.exports.getReg(hart, Register.CSR + Csr.STVAL);
  const site: CrashSite = { pc, cause, tval, hart, disassembly: disassemble(engine, inspect, hart, pc) };
  const message = `the guest's kernel panicked: ${reason}; ${describe(inspect, site)}`;
  return new GuestCrash("panic", message, site, watch.tail(40));
}

/** A trap whose handler cannot be fetched: told is the trap itself, not the fault of fetching its handler. */
export function doubleFaultCrash(engine: Engine, inspect: Inspect, watch: PanicWatch): GuestCrash {
  const hart = engine.exitHart;
  const words = new DataView(engine.bytes.buffer);
  const pc = words.getBigUint64(Machine.FAULT_PC, true);
  const site: CrashSite = {
    pc,
    cause: words.getBigUint64(Machine.FAULT_CAUSE, true),
    tval: words.getBigUint64(Machine.FAULT_VALUE, true),
    disassembly: disassemble(engine, inspect, hart, pc),
    hart,
  };
  const handler = engine.exports.getReg(hart, Register.PC);
  const message = `the guest trapped and its handler at ${hex(handler)} cannot be fetched; ${describe(inspect, site)}`;
  return new GuestCrash("double-fault", message, site, watch.tail(40));
}
