// The model that emits: each operation of an instruction's body writes the WebAssembly for
// it. Operands are on Wasm's stack in the order in which they were asked for, so values
// here are phantoms. `this` is the instruction (insn.ts). Doubles are f64 on the stack,
// singles f32; memory and floating point have files of their own.
import { Amo } from "../isa/a";
import { pushAtomicAddress, pushPlainAddress } from "./address";
import { emitAmo, emitLoadReserved, emitStoreConditional } from "./atomics";
import * as float from "./float";
import * as checks from "./float-checks";
import * as convert from "./float-convert";
import { fuse32, fuse64 } from "./fuse";
import { Insn } from "./insn";
import * as integer from "./integer";
import { pushPc } from "./moved";
import { beginOperands, inWords, secondIsImmediate } from "./narrow";
import { Known, knownOf, pushRegister, setRegister } from "./registers";
import { Wasm } from "./wasm";
import { access, byte, i64Const } from "./writer";

@unmanaged
export class Emit {
  // @ts-ignore: decorator
  @inline insn(): Insn { return changetype<Insn>(changetype<usize>(this)); }

  // --- operands ---
  rs1(): i64 { beginOperands(); pushRegister(this.insn().rs1); return knownOf(this.insn().rs1); }
  rs2(): i64 { pushRegister(this.insn().rs2); return knownOf(this.insn().rs2); }
  imm(): i64 { secondIsImmediate(); i64Const(this.insn().imm); return Known.NARROW; }
  pc(): i64 { pushPc(this.insn().pc); return 0; }
  constant(n: i64): i64 { i64Const(n); return 0; }
  setRd(value: i64): void { setRegister(this.insn().rd, <Known>value); }
  /** Bitwise: in 32 bits if that saves an extension. */
  bitwise(a: i64, b: i64, code: Wasm, inWord: Wasm): i64 {
    if (a != 0 && b != 0 && (a | b) == Known.EXTENDED) return inWords(this.insn(), inWord);
    byte(code);
    return a & b & Known.NARROW;
  }
  /** A word of an operation whose low half hangs on nothing but the operands' own. */
  add32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_ADD); }
  sub32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_SUB); }
  mul32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_MUL); }

  // --- integers ---
  add(a: i64, b: i64): i64 { byte(Wasm.I64_ADD); return 0; }
  sub(a: i64, b: i64): i64 { byte(Wasm.I64_SUB); return 0; }
  mul(a: i64, b: i64): i64 { byte(Wasm.I64_MUL); return 0; }
  and(a: i64, b: i64): i64 { return this.bitwise(a, b, Wasm.I64_AND, Wasm.I32_AND); }
  or(a: i64, b: i64): i64 { return this.bitwise(a, b, Wasm.I64_OR, Wasm.I32_OR); }
  xor(a: i64, b: i64): i64 { return this.bitwise(a, b, Wasm.I64_XOR, Wasm.I32_XOR); }
  shl(a: i64, b: i64): i64 { byte(Wasm.I64_SHL); return 0; }
  shrS(a: i64, b: i64): i64 { byte(Wasm.I64_SHR_S); return 0; }
  shrU(a: i64, b: i64): i64 { byte(Wasm.I64_SHR_U); return 0; }
  not(a: i64): i64 { i64Const(-1); byte(Wasm.I64_XOR); return 0; }
  eq(a: i64, b: i64): bool { byte(Wasm.I64_EQ); return false; }
  ne(a: i64, b: i64): bool { byte(Wasm.I64_NE); return false; }
  ltS(a: i64, b: i64): bool { byte(Wasm.I64_LT_S); return false; }
  geS(a: i64, b: i64): bool { byte(Wasm.I64_GE_S); return false; }
  ltU(a: i64, b: i64): bool { byte(Wasm.I64_LT_U); return false; }
  geU(a: i64, b: i64): bool { byte(Wasm.I64_GE_U); return false; }
  fromBool(a: bool): i64 { byte(Wasm.I64_EXTEND_I32_U); return Known.NARROW; }
  sext8(a: i64): i64 { byte(Wasm.I64_EXTEND8_S); return 0; }
  sext16(a: i64): i64 { byte(Wasm.I64_EXTEND16_S); return 0; }
  sext32(a: i64): i64 { byte(Wasm.I64_EXTEND32_S); return Known.EXTENDED; }
  zext16(a: i64): i64 { i64Const(0xffff); byte(Wasm.I64_AND); return 0; }
  zext32(a: i64): i64 { i64Const(0xffff_ffff); byte(Wasm.I64_AND); return 0; }
  shl32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_SHL); }
  shrU32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_SHR_U); }
  shrS32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_SHR_S); }
  mulHigh(a: i64, b: i64): i64 { integer.multiplyHigh(Wasm.I64_SHR_S, Wasm.I64_SHR_S); return 0; }
  mulHighSU(a: i64, b: i64): i64 { integer.multiplyHigh(Wasm.I64_SHR_S, Wasm.I64_SHR_U); return 0; }
  mulHighU(a: i64, b: i64): i64 { integer.multiplyHigh(Wasm.I64_SHR_U, Wasm.I64_SHR_U); return 0; }
  divS(a: i64, b: i64): i64 { integer.divide(); return 0; }
  divU(a: i64, b: i64): i64 { integer.divideUnsigned(); return 0; }
  remS(a: i64, b: i64): i64 { integer.remainder(); return 0; }
  remU(a: i64, b: i64): i64 { integer.remainderUnsigned(); return 0; }
  divS32(a: i64, b: i64): i64 { integer.words(true); integer.divide(); byte(Wasm.I64_EXTEND32_S); return 0; }
  divU32(a: i64, b: i64): i64 { integer.words(false); integer.divideUnsigned(); byte(Wasm.I64_EXTEND32_S); return 0; }
  remS32(a: i64, b: i64): i64 { integer.words(true); integer.remainder(); byte(Wasm.I64_EXTEND32_S); return 0; }
  remU32(a: i64, b: i64): i64 { integer.words(false); integer.remainderUnsigned(); byte(Wasm.I64_EXTEND32_S); return 0; }
  clz32(a: i64): i64 { byte(Wasm.I32_WRAP_I64); byte(Wasm.I32_CLZ); byte(Wasm.I64_EXTEND_I32_U); return 0; }
  ctz32(a: i64): i64 { byte(Wasm.I32_WRAP_I64); byte(Wasm.I32_CTZ); byte(Wasm.I64_EXTEND_I32_U); return 0; }
  clz64(a: i64): i64 { byte(Wasm.I64_CLZ); return 0; }
  ctz64(a: i64): i64 { byte(Wasm.I64_CTZ); return 0; }
  popcnt64(a: i64): i64 { byte(Wasm.I64_POPCNT); return 0; }
  maxS(a: i64, b: i64): i64 { integer.choose(Wasm.I64_GT_S); return 0; }
  minS(a: i64, b: i64): i64 { integer.choose(Wasm.I64_LT_S); return 0; }
  maxU(a: i64, b: i64): i64 { integer.choose(Wasm.I64_GT_U); return 0; }
  minU(a: i64, b: i64): i64 { integer.choose(Wasm.I64_LT_U); return 0; }
  rotl(a: i64, b: i64): i64 { byte(Wasm.I64_ROTL); return 0; }
  rotr(a: i64, b: i64): i64 { byte(Wasm.I64_ROTR); return 0; }
  rotl32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_ROTL); }
  rotr32(a: i64, b: i64): i64 { return inWords(this.insn(), Wasm.I32_ROTR); }
  orCombineBytes(a: i64): i64 { integer.orCombineBytes(); return 0; }
  reverseBytes(a: i64): i64 { integer.reverseBytes(); return 0; }
  /** Memory accesses stay in order: harts take turns on one thread. */
  fence(): void {}

  // --- loads and stores ---
  load(code: Wasm): bool {
    const i = this.insn();
    const offset = pushPlainAddress(i);
    access(code, offset);
    setRegister(i.rd, code == Wasm.I64_LOAD || code == Wasm.I64_LOAD32_U ? Known.NOTHING : Known.NARROW);
    return true;
  }
  loadS8(): bool { return this.load(Wasm.I64_LOAD8_S); }
  loadS16(): bool { return this.load(Wasm.I64_LOAD16_S); }
  loadS32(): bool { return this.load(Wasm.I64_LOAD32_S); }
  load64(): bool { return this.load(Wasm.I64_LOAD); }
  loadU8(): bool { return this.load(Wasm.I64_LOAD8_U); }
  loadU16(): bool { return this.load(Wasm.I64_LOAD16_U); }
  loadU32(): bool { return this.load(Wasm.I64_LOAD32_U); }

  store(code: Wasm): bool {
    const i = this.insn();
    const offset = pushPlainAddress(i);
    pushRegister(i.rs2);
    access(code, offset);
    return true;
  }
  store8(): bool { return this.store(Wasm.I64_STORE8); }
  store16(): bool { return this.store(Wasm.I64_STORE16); }
  store32(): bool { return this.store(Wasm.I64_STORE32); }
  store64(): bool { return this.store(Wasm.I64_STORE); }

  loadFloat32(): bool {
    const i = this.insn();
    const offset = pushPlainAddress(i);
    access(Wasm.F32_LOAD, offset);
    float.setSingle(i.rd);
    return true;
  }
  loadFloat64(): bool {
    const i = this.insn();
    const offset = pushPlainAddress(i);
    access(Wasm.F64_LOAD, offset);
    float.setDouble(i.rd);
    return true;
  }
  storeFloat32(): bool {
    const i = this.insn();
    const offset = pushPlainAddress(i);
    float.storeSingle(i.rs2, offset);
    return true;
  }
  storeFloat64(): bool {
    const i = this.insn();
    const offset = pushPlainAddress(i);
    float.pushDouble(i.rs2);
    access(Wasm.F64_STORE, offset);
    return true;
  }

  // --- atomics ---
  loadReserved32(): bool { pushAtomicAddress(this.insn(), 4, false); emitLoadReserved(this.insn(), 4); return true; }
  loadReserved64(): bool { pushAtomicAddress(this.insn(), 8, false); emitLoadReserved(this.insn(), 8); return true; }
  storeConditional32(): bool { pushAtomicAddress(this.insn(), 4, true); emitStoreConditional(this.insn(), 4); return true; }
  storeConditional64(): bool { pushAtomicAddress(this.insn(), 8, true); emitStoreConditional(this.insn(), 8); return true; }
  amo32(operation: Amo): bool { pushAtomicAddress(this.insn(), 4, true); emitAmo(this.insn(), 4, operation); return true; }
  amo64(operation: Amo): bool { pushAtomicAddress(this.insn(), 8, true); emitAmo(this.insn(), 8, operation); return true; }

  // --- floating point ---
  rm(): u32 { return this.insn().rm; }
  fs1D(): u64 { float.pushDouble(this.insn().rs1); return 0; }
  fs2D(): u64 { float.pushDouble(this.insn().rs2); return 0; }
  fs3D(): u64 { float.pushDouble(this.insn().rs3); return 0; }
  fs1S(): u32 { float.pushSingle(this.insn().rs1); return 0; }
  fs2S(): u32 { float.pushSingle(this.insn().rs2); return 0; }
  fs3S(): u32 { float.pushSingle(this.insn().rs3); return 0; }
  fs1Bits(): i64 { float.pushDouble(this.insn().rs1); byte(Wasm.I64_REINTERPRET_F64); return 0; }
  setFdD(value: u64): void { float.setDouble(this.insn().rd); }
  setFdS(value: u32): void { float.setSingle(this.insn().rd); }
  low32(a: i64): u32 { byte(Wasm.I32_WRAP_I64); byte(Wasm.F32_REINTERPRET_I32); return 0; }
  bits64(a: i64): u64 { byte(Wasm.F64_REINTERPRET_I64); return 0; }
  negate32(a: u32): u32 { byte(Wasm.F32_NEG); return 0; }
  negate64(a: u64): u64 { byte(Wasm.F64_NEG); return 0; }
  fadd32(a: u32, b: u32, rm: u32): u32 { byte(Wasm.F32_ADD); checks.checkFinite32(); return 0; }
  fsub32(a: u32, b: u32, rm: u32): u32 { byte(Wasm.F32_SUB); checks.checkFinite32(); return 0; }
  fmul32(a: u32, b: u32, rm: u32): u32 { byte(Wasm.F32_MUL); checks.checkProduct32(this.insn()); return 0; }
  fdiv32(a: u32, b: u32, rm: u32): u32 { byte(Wasm.F32_DIV); checks.checkQuotient32(this.insn()); return 0; }
  fsqrt32(a: u32, rm: u32): u32 { byte(Wasm.F32_SQRT); checks.checkRoot32(); return 0; }
  fma32(a: u32, b: u32, c: u32, rm: u32): u32 { fuse32(); return 0; }
  fmin32(a: u32, b: u32): u32 { byte(Wasm.F32_MIN); checks.checkNumber32(); return 0; }
  fmax32(a: u32, b: u32): u32 { byte(Wasm.F32_MAX); checks.checkNumber32(); return 0; }
  copySign32(a: u32, b: u32): u32 { byte(Wasm.F32_COPYSIGN); return 0; }
  copySignNot32(a: u32, b: u32): u32 { byte(Wasm.F32_NEG); byte(Wasm.F32_COPYSIGN); return 0; }
  xorSign32(a: u32, b: u32): u32 { float.xorSign32(); return 0; }
  fle32(a: u32, b: u32): bool { checks.compare32(Wasm.F32_LE, Wasm.F32_GT); return false; }
  flt32(a: u32, b: u32): bool { checks.compare32(Wasm.F32_LT, Wasm.F32_GE); return false; }
  feq32(a: u32, b: u32): bool { checks.compare32(Wasm.F32_EQ, Wasm.F32_NE); return false; }
  f32ToS32(a: u32, rm: u32): i64 { byte(Wasm.F64_PROMOTE_F32); convert.toSigned32(rm); return 0; }
  f32ToU32(a: u32, rm: u32): i64 { byte(Wasm.F64_PROMOTE_F32); convert.toUnsigned32(rm); return 0; }
  f32ToS64(a: u32, rm: u32): i64 { byte(Wasm.F64_PROMOTE_F32); convert.toSigned64(rm); return 0; }
  f32ToU64(a: u32, rm: u32): i64 { byte(Wasm.F64_PROMOTE_F32); convert.toUnsigned64(rm); return 0; }
  s32ToF32(a: i64, rm: u32): u32 { byte(Wasm.I32_WRAP_I64); byte(Wasm.F32_CONVERT_I32_S); return 0; }
  u32ToF32(a: i64, rm: u32): u32 { byte(Wasm.I32_WRAP_I64); byte(Wasm.F32_CONVERT_I32_U); return 0; }
  s64ToF32(a: i64, rm: u32): u32 { byte(Wasm.F32_CONVERT_I64_S); return 0; }
  u64ToF32(a: i64, rm: u32): u32 { byte(Wasm.F32_CONVERT_I64_U); return 0; }
  fadd64(a: u64, b: u64, rm: u32): u64 { byte(Wasm.F64_ADD); checks.checkFinite64(); return 0; }
  fsub64(a: u64, b: u64, rm: u32): u64 { byte(Wasm.F64_SUB); checks.checkFinite64(); return 0; }
  fmul64(a: u64, b: u64, rm: u32): u64 { byte(Wasm.F64_MUL); checks.checkProduct64(this.insn()); return 0; }
  fdiv64(a: u64, b: u64, rm: u32): u64 { byte(Wasm.F64_DIV); checks.checkQuotient64(this.insn()); return 0; }
  fsqrt64(a: u64, rm: u32): u64 { byte(Wasm.F64_SQRT); checks.checkRoot64(); return 0; }
  fma64(a: u64, b: u64, c: u64, rm: u32): u64 { fuse64(); return 0; }
  fmin64(a: u64, b: u64): u64 { byte(Wasm.F64_MIN); checks.checkNumber64(); return 0; }
  fmax64(a: u64, b: u64): u64 { byte(Wasm.F64_MAX); checks.checkNumber64(); return 0; }
  copySign64(a: u64, b: u64): u64 { byte(Wasm.F64_COPYSIGN); return 0; }
  copySignNot64(a: u64, b: u64): u64 { byte(Wasm.F64_NEG); byte(Wasm.F64_COPYSIGN); return 0; }
  xorSign64(a: u64, b: u64): u64 { float.xorSign64(); return 0; }
  fle64(a: u64, b: u64): bool { checks.compare64(Wasm.F64_LE, Wasm.F64_GT); return false; }
  flt64(a: u64, b: u64): bool { checks.compare64(Wasm.F64_LT, Wasm.F64_GE); return false; }
  feq64(a: u64, b: u64): bool { checks.compare64(Wasm.F64_EQ, Wasm.F64_NE); return false; }
  f64ToS32(a: u64, rm: u32): i64 { convert.toSigned32(rm); return 0; }
  f64ToU32(a: u64, rm: u32): i64 { convert.toUnsigned32(rm); return 0; }
  f64ToS64(a: u64, rm: u32): i64 { convert.toSigned64(rm); return 0; }
  f64ToU64(a: u64, rm: u32): i64 { convert.toUnsigned64(rm); return 0; }
  s32ToF64(a: i64, rm: u32): u64 { byte(Wasm.I32_WRAP_I64); byte(Wasm.F64_CONVERT_I32_S); return 0; }
  u32ToF64(a: i64, rm: u32): u64 { byte(Wasm.I32_WRAP_I64); byte(Wasm.F64_CONVERT_I32_U); return 0; }
  s64ToF64(a: i64, rm: u32): u64 { byte(Wasm.F64_CONVERT_I64_S); return 0; }
  u64ToF64(a: i64, rm: u32): u64 { byte(Wasm.F64_CONVERT_I64_U); return 0; }
  f64To32(a: u64, rm: u32): u32 { convert.narrow(this.insn()); return 0; }
  f32To64(a: u32): u64 { byte(Wasm.F64_PROMOTE_F32); checks.checkNumber64(); return 0; }
  /** Left to the interpreter (discover.ts): never emitted. */
  fclass32(a: u32): i64 { return 0; }
  fclass64(a: u64): i64 { return 0; }
}
