// CSR accesses that need nothing of the engine: registers that only hold a value, what of the
// status registers can be read, and a CSRRCI that disables interrupts (which raises none).
import { Csr } from "../abi/csr";
import { Ext } from "../abi/ext";
import { HartAt } from "../abi/layout";
import { Status } from "../hart/bits";
import { csrAccessible, fixedStatus, pcMask } from "../hart/csr";
import { Hart, hasExtension } from "../hart/state";
import { Op } from "../isa/op.gen";
import { Insn } from "./insn";
import { A } from "./locals";
import { pushRegister, setRegister } from "./registers";
import { Wasm } from "./wasm";
import { access, byte, get, i32Const, i64Const, set } from "./writer";

// @ts-ignore: decorator
@inline
function csrOf(i: Insn): u32 {
  return <u32>i.imm & 0xfff;
}

function uimmOf(i: Insn): i64 {
  return <i64>((i.imm >> 12) & 31);
}

function takesImmediate(op: u32): bool {
  return op == <u32>Op.CSRRWI || op == <u32>Op.CSRRSI || op == <u32>Op.CSRRCI;
}

/** CSRRS and CSRRC of x0, and of zero, only read (Zicsr). */
function writes(i: Insn): bool {
  switch (<u32>i.op) {
    case Op.CSRRW: case Op.CSRRWI: return true;
    case Op.CSRRS: case Op.CSRRC: return i.rs1 != <u16>HartAt.X;
  }
  return uimmOf(i) != 0;
}

/** Where the hart keeps a register that holds what was written to it, under a mask; 0 if it is none of these. */
function placeOf(n: u32): u32 {
  switch (n) {
    case Csr.SSCRATCH: return offsetof<Hart>("sscratch");
    case Csr.SEPC: return offsetof<Hart>("sepc");
    case Csr.SCAUSE: return offsetof<Hart>("scause");
    case Csr.STVAL: return offsetof<Hart>("stval");
    case Csr.MSCRATCH: return offsetof<Hart>("mscratch");
    case Csr.MEPC: return offsetof<Hart>("mepc");
    case Csr.MCAUSE: return offsetof<Hart>("mcause");
    case Csr.MTVAL: return offsetof<Hart>("mtval");
  }
  return 0;
}

function isStatus(n: u32): bool {
  return n == <u32>Csr.SSTATUS || n == <u32>Csr.MSTATUS;
}

/** A floating-point CSR that is read: good where floating point is ready, which its region asks for. */
export function readsFloatCsr(i: Insn): bool {
  const n = csrOf(i);
  return (n == <u32>Csr.FFLAGS || n == <u32>Csr.FRM) && !writes(i);
}

/** Can the instruction, one of Zicsr, be written out for the mode that the hart is in? */
export function isPlainCsr(i: Insn): bool {
  const op = <u32>i.op;
  if (op < <u32>Op.CSRRW || op > <u32>Op.CSRRCI) return false;
  const n = csrOf(i);
  if (!csrAccessible(n, writes(i)) || (n >> 8 == 1 && !hasExtension(Ext.S))) return false;
  if (n >> 8 == 0) return hasExtension(Ext.F) && readsFloatCsr(i);
  if (placeOf(n) != 0) return true;
  return isStatus(n) && (!writes(i) || (op == <u32>Op.CSRRCI && disables(i)));
}

/** Only clears the bit that enables its mode's interrupts. */
function disables(i: Insn): bool {
  const enable = csrOf(i) == <u32>Csr.SSTATUS ? Status.SIE : Status.MIE;
  return uimmOf(i) == <i64>enable;
}

export function emitCsr(i: Insn): void {
  const n = csrOf(i);
  const op = <u32>i.op;
  if (n >> 8 == 0) {
    i32Const(0);
    access(Wasm.I64_LOAD32_U, n == <u32>Csr.FFLAGS ? <u32>HartAt.FFLAGS : <u32>HartAt.FRM);
    setRegister(i.rd);
    return;
  }
  const at = <u32>HartAt.STATE + (isStatus(n) ? offsetof<Hart>("mstatus") : placeOf(n));
  i32Const(0);
  access(Wasm.I64_LOAD, at);
  set(A);
  if (writes(i)) {
    i32Const(0);
    pushOperand(i);
    if (op == <u32>Op.CSRRS || op == <u32>Op.CSRRSI) {
      get(A);
      byte(Wasm.I64_OR);
    } else if (op == <u32>Op.CSRRC || op == <u32>Op.CSRRCI) {
      i64Const(-1);
      byte(Wasm.I64_XOR);
      get(A);
      byte(Wasm.I64_AND);
    }
    if (n == <u32>Csr.SEPC || n == <u32>Csr.MEPC) {
      i64Const(<i64>pcMask());
      byte(Wasm.I64_AND);
    }
    access(Wasm.I64_STORE, at);
  }
  if (isStatus(n)) pushStatus(n);
  else get(A);
  setRegister(i.rd);
}

function pushOperand(i: Insn): void {
  if (takesImmediate(i.op)) i64Const(uimmOf(i));
  else pushRegister(i.rs1);
}

/** mstatus, which is in A, as software reads it: see statusValue() of hart/csr.ts. */
function pushStatus(n: u32): void {
  get(A);
  get(A);
  i64Const(<i64>Status.FS);
  byte(Wasm.I64_AND);
  i64Const(<i64>Status.FS);
  byte(Wasm.I64_EQ);
  byte(Wasm.I64_EXTEND_I32_U);
  i64Const(63);
  byte(Wasm.I64_SHL);
  byte(Wasm.I64_OR);
  i64Const(<i64>fixedStatus());
  byte(Wasm.I64_OR);
  if (n != <u32>Csr.SSTATUS) return;
  i64Const(<i64>Status.SSTATUS);
  byte(Wasm.I64_AND);
}
