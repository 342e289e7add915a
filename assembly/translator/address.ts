// From guest virtual addresses to host addresses: pushes the host address of an access.
//
// A base register has the page that it pointed to last, and what to add on it, in locals: most
// accesses compare with that alone. One that may point anywhere (flow.ts) is looked up in the
// TLB, as the interpreter does, and compared only where it is used again.
// What the TLB does not know is the interpreter's. A page compares with the address's upper
// bits and those that alignment says are zero, so a misaligned access takes the second way.
import { Hart } from "../hart/state";
import { WRITE_HALF } from "../hart/tlb";
import { insnCount } from "./discover";
import { jumpy, movesFar } from "./flow";
import { definesOf, Insn, insnAt, lengthOf, registerBit } from "./insn";
import { Kind } from "./kind";
import { interpretIf, pushState } from "./leave";
import { ADDRESS, HOST, Key, localFor } from "./locals";
import { pushRegister, registerNumber } from "./registers";
import { Wasm } from "./wasm";
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

/** Base registers whose page is in locals already, by loads and by stores: of the block so far. */
let readKnown: u32 = 0;
let writeKnown: u32 = 0;
/** Registers that the block so far has computed, not loaded. */
let computed: u32 = 0;

/** Nothing is known of pages: a block begins. */
export function forgetPages(): void {
  readKnown = 0;
  writeKnown = 0;
  computed = 0;
}

/** The instruction has given its register another value. */
export function forgetPageOf(i: Insn): void {
  const register = <u32>definesOf(i);
  if (!movesFar(i)) {
    computed |= register;
    return;
  }
  computed &= ~register;
  readKnown &= ~register;
  writeKnown &= ~register;
}

/** Is the base of `i` used again in its block, for the same kind of access, before it moves? */
function isUsedAgain(i: Insn, write: bool): bool {
  for (let index = i.index + 1; index < insnCount; index++) {
    const next = insnAt(index);
    if (next.pc != insnAt(index - 1).pc + lengthOf(insnAt(index - 1))) return false;
    if (next.kind == Kind.MEMORY || next.kind == Kind.FLOAT_MEMORY) {
      if (next.rs1 == i.rs1 && isStore(next) == write) return true;
    } else if (next.kind != Kind.ALU && next.kind != Kind.FLOAT) return false;
    if (movesFar(next) && (definesOf(next) & registerBit(i.rs1)) != 0) return false;
  }
  return false;
}

/** A load defines a register, a store does not: not even the sink. */
// @ts-ignore: decorator
@inline
function isStore(i: Insn): bool {
  return i.rd == 0;
}

function push(i: Insn, size: u32, write: bool, aligned: bool): void {
  const bit = <u32>registerBit(i.rs1);
  pushRegister(i.rs1);
  if (i.imm != 0) {
    i64Const(i.imm);
    byte(Wasm.I64_ADD);
  }
  const known = ((write ? writeKnown : readKnown) & bit) != 0;
  const compares = known || (jumpy & ~computed & bit) == 0;
  const keeps = compares || isUsedAgain(i, write);
  if (compares) pushCompared(i, size, write, aligned);
  else pushLookedUp(i, size, write, aligned, keeps);
  if (!keeps) return;
  if (write) writeKnown |= bit;
  else readKnown |= bit;
}

/** ~(4096 - size): the bits of a page, and those that alignment says are zero. */
// @ts-ignore: decorator
@inline
function maskFor(size: u32): i64 {
  return ~<i64>(4096 - size);
}

/** The address is on the stack: compares its page with the base's, and looks it up if it is another. */
function pushCompared(i: Insn, size: u32, write: bool, aligned: bool): void {
  const base = registerNumber(i.rs1);
  const page = localFor((write ? Key.WRITE_PAGE : Key.READ_PAGE) + base);
  const addend = localFor((write ? Key.WRITE_ADDEND : Key.READ_ADDEND) + base);
  tee(ADDRESS);
  i64Const(maskFor(size));
  byte(Wasm.I64_AND);
  get(page);
  byte(Wasm.I64_NE);
  ifThen();
  lookUp(size, write, aligned);
  keepPage(base, write);
  byte(Wasm.END);
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  get(addend);
  byte(Wasm.I32_ADD);
}

/** The address is on the stack: looks it up. */
function pushLookedUp(i: Insn, size: u32, write: bool, aligned: bool, keeps: bool): void {
  set(ADDRESS);
  lookUp(size, write, aligned);
  if (keeps) keepPage(registerNumber(i.rs1), write);
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  get(HOST);
  access(Wasm.I32_LOAD, (write ? WRITE_HALF : 0) + 8);
  byte(Wasm.I32_ADD);
}

/** HOST = the TLB's entry for ADDRESS; what it does not hold is the interpreter's. */
function lookUp(size: u32, write: bool, aligned: bool): void {
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  i32Const(8);
  byte(Wasm.I32_SHR_U);
  i32Const(0x3ff0);
  byte(Wasm.I32_AND);
  pushState(offsetof<Hart>("tlb"));
  byte(Wasm.I32_ADD);
  tee(HOST);
  access(Wasm.I64_LOAD, write ? WRITE_HALF : 0);
  get(ADDRESS);
  if (aligned) i64Const(maskFor(size));
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
}

/** Remembers the page that HOST is of for base register `base`. */
function keepPage(base: u32, write: bool): void {
  const half = write ? WRITE_HALF : 0;
  get(HOST);
  access(Wasm.I64_LOAD, half);
  set(localFor((write ? Key.WRITE_PAGE : Key.READ_PAGE) + base));
  get(HOST);
  access(Wasm.I32_LOAD, half + 8);
  set(localFor((write ? Key.WRITE_ADDEND : Key.READ_ADDEND) + base));
}
