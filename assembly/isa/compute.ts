// The arithmetic half of the computing model: what each operation of the instruction
// bodies is on numbers. `this` is the predecoded entry. Fast and Slow (interpreter/)
// add the operations that reach memory or the rest of the hart.
import { HartAt } from "../abi/layout";
import * as double from "../fp/double";
import * as single from "../fp/single";
import { divS, divS32, divU, divU32, mulHigh, mulHighSU, mulHighU, orCombineBytes, remS, remS32, remU, remU32 } from "./arithmetic";
import { Entry, OFFSET, RM, RS2, RS3, X_RD } from "./entry";

const SIGN32: u32 = 0x8000_0000;
const SIGN64: u64 = 0x8000_0000_0000_0000;
const BOX: u64 = 0xffff_ffff_0000_0000;
const DYNAMIC: u32 = 7;

/** A single-precision value as its register holds it, or the canonical NaN if it is not boxed. */
// @ts-ignore: decorator
@inline
function unbox(bits: u64): u32 {
  return bits >= BOX ? <u32>bits : 0x7fc0_0000;
}

@unmanaged
export class Compute {
  // --- operands ---
  // @ts-ignore: decorator
  @inline rs1(): i64 { return load<i64>(<usize>load<u8>(changetype<usize>(this), offsetof<Entry>("rs1")), HartAt.X); }
  // @ts-ignore: decorator
  @inline rs2(): i64 { return load<i64>(<usize>load<u8>(changetype<usize>(this), RS2), HartAt.X); }
  // @ts-ignore: decorator
  @inline imm(): i64 { return <i64>load<i32>(changetype<usize>(this), offsetof<Entry>("imm")); }
  // @ts-ignore: decorator
  @inline offset(): i64 { return <i64>load<i16>(changetype<usize>(this), OFFSET); }
  // @ts-ignore: decorator
  @inline setRd(value: i64): void { store<i64>(<usize>load<u8>(changetype<usize>(this), offsetof<Entry>("rd")), value, X_RD); }
  // @ts-ignore: decorator
  @inline constant(n: i64): i64 { return n; }
  // @ts-ignore: decorator
  @inline fs1D(): u64 { return load<u64>(<usize>load<u8>(changetype<usize>(this), offsetof<Entry>("rs1")), HartAt.F); }
  // @ts-ignore: decorator
  @inline fs2D(): u64 { return load<u64>(<usize>load<u8>(changetype<usize>(this), RS2), HartAt.F); }
  // @ts-ignore: decorator
  @inline fs3D(): u64 { return load<u64>(<usize>load<u8>(changetype<usize>(this), RS3), HartAt.F); }
  // @ts-ignore: decorator
  @inline fs1S(): u32 { return unbox(this.fs1D()); }
  // @ts-ignore: decorator
  @inline fs2S(): u32 { return unbox(this.fs2D()); }
  // @ts-ignore: decorator
  @inline fs3S(): u32 { return unbox(this.fs3D()); }
  // @ts-ignore: decorator
  @inline fs1Bits(): i64 { return <i64>this.fs1D(); }
  // @ts-ignore: decorator
  @inline setFdD(value: u64): void { store<u64>(<usize>load<u8>(changetype<usize>(this), offsetof<Entry>("rd")), value, HartAt.F); }
  // @ts-ignore: decorator
  @inline setFdS(value: u32): void { store<u64>(<usize>load<u8>(changetype<usize>(this), offsetof<Entry>("rd")), BOX | <u64>value, HartAt.F); }
  // @ts-ignore: decorator
  @inline rm(): u32 { const rm = <u32>load<u8>(changetype<usize>(this), RM); return rm == DYNAMIC ? load<u32>(<usize>HartAt.FRM) : rm; }

  // --- integers ---
  // @ts-ignore: decorator
  @inline add(a: i64, b: i64): i64 { return a + b; }
  // @ts-ignore: decorator
  @inline sub(a: i64, b: i64): i64 { return a - b; }
  // @ts-ignore: decorator
  @inline mul(a: i64, b: i64): i64 { return a * b; }
  // @ts-ignore: decorator
  @inline add32(a: i64, b: i64): i64 { return <i64>(<i32>a + <i32>b); }
  // @ts-ignore: decorator
  @inline sub32(a: i64, b: i64): i64 { return <i64>(<i32>a - <i32>b); }
  // @ts-ignore: decorator
  @inline mul32(a: i64, b: i64): i64 { return <i64>(<i32>a * <i32>b); }
  // @ts-ignore: decorator
  @inline and(a: i64, b: i64): i64 { return a & b; }
  // @ts-ignore: decorator
  @inline or(a: i64, b: i64): i64 { return a | b; }
  // @ts-ignore: decorator
  @inline xor(a: i64, b: i64): i64 { return a ^ b; }
  // @ts-ignore: decorator
  @inline shl(a: i64, b: i64): i64 { return a << b; }
  // @ts-ignore: decorator
  @inline shrS(a: i64, b: i64): i64 { return a >> b; }
  // @ts-ignore: decorator
  @inline shrU(a: i64, b: i64): i64 { return <i64>(<u64>a >> <u64>b); }
  // @ts-ignore: decorator
  @inline not(a: i64): i64 { return a ^ -1; }
  // @ts-ignore: decorator
  @inline eq(a: i64, b: i64): bool { return a == b; }
  // @ts-ignore: decorator
  @inline ne(a: i64, b: i64): bool { return a != b; }
  // @ts-ignore: decorator
  @inline ltS(a: i64, b: i64): bool { return a < b; }
  // @ts-ignore: decorator
  @inline geS(a: i64, b: i64): bool { return a >= b; }
  // @ts-ignore: decorator
  @inline ltU(a: i64, b: i64): bool { return <u64>a < <u64>b; }
  // @ts-ignore: decorator
  @inline geU(a: i64, b: i64): bool { return <u64>a >= <u64>b; }
  // @ts-ignore: decorator
  @inline fromBool(a: bool): i64 { return <i64>a; }
  // @ts-ignore: decorator
  @inline sext8(a: i64): i64 { return <i64>(<i8>a); }
  // @ts-ignore: decorator
  @inline sext16(a: i64): i64 { return <i64>(<i16>a); }
  // @ts-ignore: decorator
  @inline sext32(a: i64): i64 { return <i64>(<i32>a); }
  // @ts-ignore: decorator
  @inline zext16(a: i64): i64 { return <i64>(<u16>a); }
  // @ts-ignore: decorator
  @inline zext32(a: i64): i64 { return <i64>(<u32>a); }
  // @ts-ignore: decorator
  @inline shl32(a: i64, b: i64): i64 { return <i64>(<i32>a << <i32>b); }
  // @ts-ignore: decorator
  @inline shrU32(a: i64, b: i64): i64 { return <i64>(<i32>(<u32>a >> <u32>b)); }
  // @ts-ignore: decorator
  @inline shrS32(a: i64, b: i64): i64 { return <i64>(<i32>a >> <i32>b); }
  // @ts-ignore: decorator
  @inline mulHigh(a: i64, b: i64): i64 { return mulHigh(a, b); }
  // @ts-ignore: decorator
  @inline mulHighSU(a: i64, b: i64): i64 { return mulHighSU(a, b); }
  // @ts-ignore: decorator
  @inline mulHighU(a: i64, b: i64): i64 { return mulHighU(a, b); }
  // @ts-ignore: decorator
  @inline divS(a: i64, b: i64): i64 { return divS(a, b); }
  // @ts-ignore: decorator
  @inline divU(a: i64, b: i64): i64 { return divU(a, b); }
  // @ts-ignore: decorator
  @inline remS(a: i64, b: i64): i64 { return remS(a, b); }
  // @ts-ignore: decorator
  @inline remU(a: i64, b: i64): i64 { return remU(a, b); }
  // @ts-ignore: decorator
  @inline divS32(a: i64, b: i64): i64 { return divS32(a, b); }
  // @ts-ignore: decorator
  @inline divU32(a: i64, b: i64): i64 { return divU32(a, b); }
  // @ts-ignore: decorator
  @inline remS32(a: i64, b: i64): i64 { return remS32(a, b); }
  // @ts-ignore: decorator
  @inline remU32(a: i64, b: i64): i64 { return remU32(a, b); }
  // @ts-ignore: decorator
  @inline clz32(a: i64): i64 { return <i64>clz<u32>(<u32>a); }
  // @ts-ignore: decorator
  @inline ctz32(a: i64): i64 { return <i64>ctz<u32>(<u32>a); }
  // @ts-ignore: decorator
  @inline clz64(a: i64): i64 { return <i64>clz<u64>(<u64>a); }
  // @ts-ignore: decorator
  @inline ctz64(a: i64): i64 { return <i64>ctz<u64>(<u64>a); }
  // @ts-ignore: decorator
  @inline popcnt64(a: i64): i64 { return <i64>popcnt<u64>(<u64>a); }
  // @ts-ignore: decorator
  @inline maxS(a: i64, b: i64): i64 { return a > b ? a : b; }
  // @ts-ignore: decorator
  @inline minS(a: i64, b: i64): i64 { return a < b ? a : b; }
  // @ts-ignore: decorator
  @inline maxU(a: i64, b: i64): i64 { return <u64>a > <u64>b ? a : b; }
  // @ts-ignore: decorator
  @inline minU(a: i64, b: i64): i64 { return <u64>a < <u64>b ? a : b; }
  // @ts-ignore: decorator
  @inline rotl(a: i64, b: i64): i64 { return rotl<i64>(a, b); }
  // @ts-ignore: decorator
  @inline rotr(a: i64, b: i64): i64 { return rotr<i64>(a, b); }
  // @ts-ignore: decorator
  @inline rotl32(a: i64, b: i64): i64 { return <i64>rotl<i32>(<i32>a, <i32>b); }
  // @ts-ignore: decorator
  @inline rotr32(a: i64, b: i64): i64 { return <i64>rotr<i32>(<i32>a, <i32>b); }
  // @ts-ignore: decorator
  @inline orCombineBytes(a: i64): i64 { return orCombineBytes(a); }
  // @ts-ignore: decorator
  @inline reverseBytes(a: i64): i64 { return bswap<i64>(a); }
  // @ts-ignore: decorator
  @inline fence(): void {}

  // --- floating point, on bits ---
  // @ts-ignore: decorator
  @inline low32(a: i64): u32 { return <u32>a; }
  // @ts-ignore: decorator
  @inline bits64(a: i64): u64 { return <u64>a; }
  // @ts-ignore: decorator
  @inline negate32(a: u32): u32 { return a ^ SIGN32; }
  // @ts-ignore: decorator
  @inline negate64(a: u64): u64 { return a ^ SIGN64; }
  // @ts-ignore: decorator
  @inline fadd32(a: u32, b: u32, rm: u32): u32 { return single.add32(a, b, rm); }
  // @ts-ignore: decorator
  @inline fsub32(a: u32, b: u32, rm: u32): u32 { return single.sub32(a, b, rm); }
  // @ts-ignore: decorator
  @inline fmul32(a: u32, b: u32, rm: u32): u32 { return single.mul32(a, b, rm); }
  // @ts-ignore: decorator
  @inline fdiv32(a: u32, b: u32, rm: u32): u32 { return single.div32(a, b, rm); }
  // @ts-ignore: decorator
  @inline fsqrt32(a: u32, rm: u32): u32 { return single.sqrt32(a, rm); }
  // @ts-ignore: decorator
  @inline fma32(a: u32, b: u32, c: u32, rm: u32): u32 { return single.fma32(a, b, c, rm); }
  // @ts-ignore: decorator
  @inline fmin32(a: u32, b: u32): u32 { return single.min32(a, b); }
  // @ts-ignore: decorator
  @inline fmax32(a: u32, b: u32): u32 { return single.max32(a, b); }
  // @ts-ignore: decorator
  @inline copySign32(a: u32, b: u32): u32 { return (a & ~SIGN32) | (b & SIGN32); }
  // @ts-ignore: decorator
  @inline copySignNot32(a: u32, b: u32): u32 { return (a & ~SIGN32) | (~b & SIGN32); }
  // @ts-ignore: decorator
  @inline xorSign32(a: u32, b: u32): u32 { return a ^ (b & SIGN32); }
  // @ts-ignore: decorator
  @inline fle32(a: u32, b: u32): bool { return single.le32(a, b) != 0; }
  // @ts-ignore: decorator
  @inline flt32(a: u32, b: u32): bool { return single.lt32(a, b) != 0; }
  // @ts-ignore: decorator
  @inline feq32(a: u32, b: u32): bool { return single.eq32(a, b) != 0; }
  // @ts-ignore: decorator
  @inline fclass32(a: u32): i64 { return <i64>single.class32(a); }
  // @ts-ignore: decorator
  @inline f32ToS32(a: u32, rm: u32): i64 { return single.f32ToI32(a, rm); }
  // @ts-ignore: decorator
  @inline f32ToU32(a: u32, rm: u32): i64 { return single.f32ToU32(a, rm); }
  // @ts-ignore: decorator
  @inline f32ToS64(a: u32, rm: u32): i64 { return single.f32ToI64(a, rm); }
  // @ts-ignore: decorator
  @inline f32ToU64(a: u32, rm: u32): i64 { return single.f32ToU64(a, rm); }
  // @ts-ignore: decorator
  @inline fadd64(a: u64, b: u64, rm: u32): u64 { return double.add64(a, b, rm); }
  // @ts-ignore: decorator
  @inline fsub64(a: u64, b: u64, rm: u32): u64 { return double.sub64(a, b, rm); }
  // @ts-ignore: decorator
  @inline fmul64(a: u64, b: u64, rm: u32): u64 { return double.mul64(a, b, rm); }
  // @ts-ignore: decorator
  @inline fdiv64(a: u64, b: u64, rm: u32): u64 { return double.div64(a, b, rm); }
  // @ts-ignore: decorator
  @inline fsqrt64(a: u64, rm: u32): u64 { return double.sqrt64(a, rm); }
  // @ts-ignore: decorator
  @inline fma64(a: u64, b: u64, c: u64, rm: u32): u64 { return double.fma64(a, b, c, rm); }
  // @ts-ignore: decorator
  @inline fmin64(a: u64, b: u64): u64 { return double.min64(a, b); }
  // @ts-ignore: decorator
  @inline fmax64(a: u64, b: u64): u64 { return double.max64(a, b); }
  // @ts-ignore: decorator
  @inline copySign64(a: u64, b: u64): u64 { return (a & ~SIGN64) | (b & SIGN64); }
  // @ts-ignore: decorator
  @inline copySignNot64(a: u64, b: u64): u64 { return (a & ~SIGN64) | (~b & SIGN64); }
  // @ts-ignore: decorator
  @inline xorSign64(a: u64, b: u64): u64 { return a ^ (b & SIGN64); }
  // @ts-ignore: decorator
  @inline fle64(a: u64, b: u64): bool { return double.le64(a, b) != 0; }
  // @ts-ignore: decorator
  @inline flt64(a: u64, b: u64): bool { return double.lt64(a, b) != 0; }
  // @ts-ignore: decorator
  @inline feq64(a: u64, b: u64): bool { return double.eq64(a, b) != 0; }
  // @ts-ignore: decorator
  @inline fclass64(a: u64): i64 { return <i64>double.class64(a); }
  // @ts-ignore: decorator
  @inline f64ToS32(a: u64, rm: u32): i64 { return double.f64ToI32(a, rm); }
  // @ts-ignore: decorator
  @inline f64ToU32(a: u64, rm: u32): i64 { return double.f64ToU32(a, rm); }
  // @ts-ignore: decorator
  @inline f64ToS64(a: u64, rm: u32): i64 { return double.f64ToI64(a, rm); }
  // @ts-ignore: decorator
  @inline f64ToU64(a: u64, rm: u32): i64 { return double.f64ToU64(a, rm); }
  // @ts-ignore: decorator
  @inline s32ToF32(a: i64, rm: u32): u32 { return single.i32ToF32(<i32>a, rm); }
  // @ts-ignore: decorator
  @inline u32ToF32(a: i64, rm: u32): u32 { return single.u32ToF32(<u32>a, rm); }
  // @ts-ignore: decorator
  @inline s64ToF32(a: i64, rm: u32): u32 { return single.i64ToF32(a, rm); }
  // @ts-ignore: decorator
  @inline u64ToF32(a: i64, rm: u32): u32 { return single.u64ToF32(<u64>a, rm); }
  // @ts-ignore: decorator
  @inline s32ToF64(a: i64, rm: u32): u64 { return double.i32ToF64(<i32>a); }
  // @ts-ignore: decorator
  @inline u32ToF64(a: i64, rm: u32): u64 { return double.u32ToF64(<u32>a); }
  // @ts-ignore: decorator
  @inline s64ToF64(a: i64, rm: u32): u64 { return double.i64ToF64(a, rm); }
  // @ts-ignore: decorator
  @inline u64ToF64(a: i64, rm: u32): u64 { return double.u64ToF64(<u64>a, rm); }
  // @ts-ignore: decorator
  @inline f64To32(a: u64, rm: u32): u32 { return double.f64ToF32(a, rm); }
  // @ts-ignore: decorator
  @inline f32To64(a: u32): u64 { return double.f32ToF64(a); }
}
