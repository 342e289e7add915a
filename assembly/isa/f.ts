// F: single precision. Registers are NaN-boxed: reading one whose upper half is not all
// ones gives the canonical NaN (chapter 21.2); fsw and fmv.x.w move the bits as they are.
export function flw<M>(m: M): bool { return m.loadFloat32(); }
export function fsw<M>(m: M): bool { return m.storeFloat32(); }

export function fmadd_s<M>(m: M): void { m.setFdS(m.fma32(m.fs1S(), m.fs2S(), m.fs3S(), m.rm())); }
export function fmsub_s<M>(m: M): void { m.setFdS(m.fma32(m.fs1S(), m.fs2S(), m.negate32(m.fs3S()), m.rm())); }
export function fnmsub_s<M>(m: M): void { m.setFdS(m.fma32(m.negate32(m.fs1S()), m.fs2S(), m.fs3S(), m.rm())); }
export function fnmadd_s<M>(m: M): void { m.setFdS(m.fma32(m.negate32(m.fs1S()), m.fs2S(), m.negate32(m.fs3S()), m.rm())); }
export function fadd_s<M>(m: M): void { m.setFdS(m.fadd32(m.fs1S(), m.fs2S(), m.rm())); }
export function fsub_s<M>(m: M): void { m.setFdS(m.fsub32(m.fs1S(), m.fs2S(), m.rm())); }
export function fmul_s<M>(m: M): void { m.setFdS(m.fmul32(m.fs1S(), m.fs2S(), m.rm())); }
export function fdiv_s<M>(m: M): void { m.setFdS(m.fdiv32(m.fs1S(), m.fs2S(), m.rm())); }
export function fsqrt_s<M>(m: M): void { m.setFdS(m.fsqrt32(m.fs1S(), m.rm())); }
export function fsgnj_s<M>(m: M): void { m.setFdS(m.copySign32(m.fs1S(), m.fs2S())); }
export function fsgnjn_s<M>(m: M): void { m.setFdS(m.copySignNot32(m.fs1S(), m.fs2S())); }
export function fsgnjx_s<M>(m: M): void { m.setFdS(m.xorSign32(m.fs1S(), m.fs2S())); }
export function fmin_s<M>(m: M): void { m.setFdS(m.fmin32(m.fs1S(), m.fs2S())); }
export function fmax_s<M>(m: M): void { m.setFdS(m.fmax32(m.fs1S(), m.fs2S())); }
export function fle_s<M>(m: M): void { m.setRd(m.fromBool(m.fle32(m.fs1S(), m.fs2S()))); }
export function flt_s<M>(m: M): void { m.setRd(m.fromBool(m.flt32(m.fs1S(), m.fs2S()))); }
export function feq_s<M>(m: M): void { m.setRd(m.fromBool(m.feq32(m.fs1S(), m.fs2S()))); }
export function fclass_s<M>(m: M): void { m.setRd(m.fclass32(m.fs1S())); }
export function fcvt_w_s<M>(m: M): void { m.setRd(m.f32ToS32(m.fs1S(), m.rm())); }
export function fcvt_wu_s<M>(m: M): void { m.setRd(m.f32ToU32(m.fs1S(), m.rm())); }
export function fcvt_l_s<M>(m: M): void { m.setRd(m.f32ToS64(m.fs1S(), m.rm())); }
export function fcvt_lu_s<M>(m: M): void { m.setRd(m.f32ToU64(m.fs1S(), m.rm())); }
export function fcvt_s_w<M>(m: M): void { m.setFdS(m.s32ToF32(m.rs1(), m.rm())); }
export function fcvt_s_wu<M>(m: M): void { m.setFdS(m.u32ToF32(m.rs1(), m.rm())); }
export function fcvt_s_l<M>(m: M): void { m.setFdS(m.s64ToF32(m.rs1(), m.rm())); }
export function fcvt_s_lu<M>(m: M): void { m.setFdS(m.u64ToF32(m.rs1(), m.rm())); }
export function fmv_x_w<M>(m: M): void { m.setRd(m.sext32(m.fs1Bits())); }
export function fmv_w_x<M>(m: M): void { m.setFdS(m.low32(m.rs1())); }
