// LR, SC and AMO at the host address on the stack. Harts take turns on one thread, so plain
// accesses are atomic; a reservation is the hart's, as in interpreter/slow.
import { Gpa, HartAt, Layout } from "../abi/layout";
import { Hart } from "../hart/state";
import { Amo } from "../isa/a";
import { Insn } from "./insn";
import * as integer from "./integer";
import { A, B, HOST } from "./locals";
import { pushRegister, setRegister } from "./registers";
import { Wasm } from "./wasm";
import { access, byte, end, get, i32Const, i64Const, ifThen, set, tee } from "./writer";

const RESERVATION: u32 = <u32>HartAt.STATE + <u32>offsetof<Hart>("reservation");
const RESERVED_VALUE: u32 = <u32>HartAt.STATE + <u32>offsetof<Hart>("reservedValue");
const RESERVED_SIZE: u32 = <u32>HartAt.STATE + <u32>offsetof<Hart>("reservedSize");

/** Pushes the guest physical address of the host address in HOST: only RAM is ever in a TLB. */
function pushPhysical(): void {
  get(HOST);
  byte(Wasm.I64_EXTEND_I32_U);
  i64Const(<i64>(<u32>Gpa.RAM) - <i64>Layout.RAM);
  byte(Wasm.I64_ADD);
}

/** Pushes the value at HOST, sign-extended. */
function pushValue(size: u32): void {
  get(HOST);
  access(size == 4 ? Wasm.I64_LOAD32_S : Wasm.I64_LOAD, 0);
}

export function emitLoadReserved(i: Insn, size: u32): void {
  set(HOST);
  pushValue(size);
  set(A);
  i32Const(0);
  pushPhysical();
  access(Wasm.I64_STORE, RESERVATION);
  i32Const(0);
  get(A);
  access(Wasm.I64_STORE, RESERVED_VALUE);
  i32Const(0);
  i32Const(size);
  access(Wasm.I32_STORE, RESERVED_SIZE);
  get(A);
  setRegister(i.rd);
}

export function emitStoreConditional(i: Insn, size: u32): void {
  set(HOST);
  i64Const(1);
  set(A);
  i32Const(0);
  access(Wasm.I64_LOAD, RESERVATION);
  pushPhysical();
  byte(Wasm.I64_EQ);
  i32Const(0);
  access(Wasm.I32_LOAD, RESERVED_SIZE);
  i32Const(size);
  byte(Wasm.I32_EQ);
  byte(Wasm.I32_AND);
  pushValue(size);
  i32Const(0);
  access(Wasm.I64_LOAD, RESERVED_VALUE);
  byte(Wasm.I64_EQ);
  byte(Wasm.I32_AND);
  ifThen();
  get(HOST);
  pushRegister(i.rs2);
  access(size == 4 ? Wasm.I64_STORE32 : Wasm.I64_STORE, 0);
  i64Const(0);
  set(A);
  end();
  i32Const(0);
  i64Const(-1);
  access(Wasm.I64_STORE, RESERVATION);
  get(A);
  setRegister(i.rd);
}

/** rd = old; memory = old `operation` rs2. Sign-extension keeps the order of words, unsigned too. */
export function emitAmo(i: Insn, size: u32, operation: Amo): void {
  tee(HOST);
  pushValue(size);
  if (<u32>operation == <u32>Amo.SWAP) byte(Wasm.DROP);
  pushRegister(i.rs2);
  if (size == 4) byte(Wasm.I64_EXTEND32_S);
  apply(operation);
  // What is stored is on the stack, above its address; the old value is read before.
  set(B);
  pushValue(size);
  set(A);
  get(B);
  access(size == 4 ? Wasm.I64_STORE32 : Wasm.I64_STORE, 0);
  get(A);
  setRegister(i.rd);
}

function apply(operation: Amo): void {
  switch (<u32>operation) {
    case Amo.ADD: byte(Wasm.I64_ADD); break;
    case Amo.XOR: byte(Wasm.I64_XOR); break;
    case Amo.AND: byte(Wasm.I64_AND); break;
    case Amo.OR: byte(Wasm.I64_OR); break;
    case Amo.MIN: integer.choose(Wasm.I64_LT_S); break;
    case Amo.MAX: integer.choose(Wasm.I64_GT_S); break;
    case Amo.MINU: integer.choose(Wasm.I64_LT_U); break;
    case Amo.MAXU: integer.choose(Wasm.I64_GT_U); break;
  }
}
