// From guest virtual addresses to host addresses: pushes the host address of an access.
//
// Each base register has a page that it pointed to last, and what to add on it, in locals:
// most accesses compare with that alone. Others look in the TLB, as the interpreter does;
// what the TLB does not know is the interpreter's. A page compares with the address's upper
// bits and those that alignment says are zero, so a misaligned access takes the second way.
import { HartAt } from "../abi/layout";
import { Hart } from "../hart/state";
import { WRITE_HALF } from "../hart/tlb";
import { Insn } from "./insn";
import { interpretIf, pushState } from "./leave";
import { ADDRESS, HOST, Key, localFor } from "./locals";
import { pushRegister, registerNumber } from "./registers";
import { Type, Wasm } from "./wasm";
import { access, byte, get, i32Const, i64Const, ifThen, set, tee } from "./writer";

export function pushLoadAddress(i: Insn, size: u32): void {
  push(i, size, false, false);
}

export function pushStoreAddress(i: Insn, size: u32): void {
  push(i, size, true, false);
}

/** Atomics take aligned addresses alone: others trap, which is the interpreter's. */
export function pushAtomicAddress(i: Insn, size: u32, write: bool): void {
  push(i, size, write, true);
}

function push(i: Insn, size: u32, write: bool, aligned: bool): void {
  const base = registerNumber(i.rs1);
  const page = localFor((write ? Key.WRITE_PAGE : Key.READ_PAGE) + base);
  const addend = localFor((write ? Key.WRITE_ADDEND : Key.READ_ADDEND) + base);
  const half = write ? WRITE_HALF : 0;
  const mask = ~<i64>(4096 - size);

  pushRegister(i.rs1);
  if (i.imm != 0) {
    i64Const(i.imm);
    byte(Wasm.I64_ADD);
  }
  tee(ADDRESS);
  i64Const(mask);
  byte(Wasm.I64_AND);
  get(page);
  byte(Wasm.I64_NE);
  ifThen();
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  i32Const(8);
  byte(Wasm.I32_SHR_U);
  i32Const(0x3ff0);
  byte(Wasm.I32_AND);
  pushState(offsetof<Hart>("tlb"));
  byte(Wasm.I32_ADD);
  tee(HOST);
  access(Wasm.I64_LOAD, half);
  get(ADDRESS);
  if (aligned) i64Const(mask);
  else {
    if (size > 1) {
      i64Const(size - 1);
      byte(Wasm.I64_ADD);
    }
    i64Const(-4096);
  }
  byte(Wasm.I64_AND);
  byte(Wasm.I64_NE);
  interpretIf();
  get(HOST);
  access(Wasm.I64_LOAD, half);
  set(page);
  get(HOST);
  access(Wasm.I32_LOAD, half + 8);
  set(addend);
  byte(Wasm.END);
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  get(addend);
  byte(Wasm.I32_ADD);
}
