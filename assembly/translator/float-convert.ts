// Conversions between doubles, singles and integers (float.ts), where Wasm's round as the
// instruction says.
import { double } from "./float";
import { interpretUnless, pushIsZero64, pushNormal32, temp32, temp64 } from "./float-checks";
import { Insn } from "./insn";
import { Wasm } from "./wasm";
import { byte, end, f64Const, get, ifThen, set } from "./writer";

/** Rounds the f64 on the stack to an integer, into a temporary. Static modes are 0 and 1 (discover.ts). */
function round(rm: u32): u32 {
  const rounded = temp64(0);
  byte(rm == 1 ? Wasm.F64_TRUNC : Wasm.F64_NEAREST);
  set(rounded);
  return rounded;
}

function checkSigned(rounded: u32, limit: f64): void {
  get(rounded);
  byte(Wasm.F64_ABS);
  f64Const(limit);
  byte(Wasm.F64_LT);
  interpretUnless();
  get(rounded);
  byte(Wasm.I64_TRUNC_F64_S);
}

function checkUnsigned(rounded: u32, limit: f64): void {
  get(rounded);
  f64Const(0);
  byte(Wasm.F64_GE);
  get(rounded);
  f64Const(limit);
  byte(Wasm.F64_LT);
  byte(Wasm.I32_AND);
  interpretUnless();
  get(rounded);
  byte(Wasm.I64_TRUNC_F64_U);
}

export function toSigned32(rm: u32): void {
  checkSigned(round(rm), 2147483648.0);
}
export function toSigned64(rm: u32): void {
  checkSigned(round(rm), 9223372036854775808.0);
}
export function toUnsigned32(rm: u32): void {
  checkUnsigned(round(rm), 4294967296.0);
  byte(Wasm.I64_EXTEND32_S);
}
export function toUnsigned64(rm: u32): void {
  checkUnsigned(round(rm), 18446744073709551616.0);
}

/** fcvt.s.d */
export function narrow(i: Insn): void {
  const result = temp32(0);
  byte(Wasm.F32_DEMOTE_F64);
  set(result);
  pushNormal32(result);
  byte(Wasm.I32_EQZ);
  ifThen();
  pushIsZero64(double(i.rs1));
  interpretUnless();
  end();
  get(result);
}
