// D: double precision.
export function fld<M>(m: M): bool { return m.loadFloat64(); }
export function fsd<M>(m: M): bool { return m.storeFloat64(); }

export function fmadd_d<M>(m: M): void { m.setFdD(m.fma64(m.fs1D(), m.fs2D(), m.fs3D(), m.rm())); }
export function fmsub_d<M>(m: M): void { m.setFdD(m.fma64(m.fs1D(), m.fs2D(), m.negate64(m.fs3D()), m.rm())); }
export function fnmsub_d<M>(m: M): void { m.setFdD(m.fma64(m.negate64(m.fs1D()), m.fs2D(), m.fs3D(), m.rm())); }
export function fnmadd_d<M>(m: M): void { m.setFdD(m.fma64(m.negate64(m.fs1D()), m.fs2D(), m.negate64(m.fs3D()), m.rm())); }
export function fadd_d<M>(m: M): void { m.setFdD(m.fadd64(m.fs1D(), m.fs2D(), m.rm())); }
export function fsub_d<M>(m: M): void { m.setFdD(m.fsub64(m.fs1D(), m.fs2D(), m.rm())); }
export function fmul_d<M>(m: M): void { m.setFdD(m.fmul64(m.fs1D(), m.fs2D(), m.rm())); }
export function fdiv_d<M>(m: M): void { m.setFdD(m.fdiv64(m.fs1D(), m.fs2D(), m.rm())); }
export function fsqrt_d<M>(m: M): void { m.setFdD(m.fsqrt64(m.fs1D(), m.rm())); }
export function fsgnj_d<M>(m: M): void { m.setFdD(m.copySign64(m.fs1D(), m.fs2D())); }
export function fsgnjn_d<M>(m: M): void { m.setFdD(m.copySignNot64(m.fs1D(), m.fs2D())); }
export function fsgnjx_d<M>(m: M): void { m.setFdD(m.xorSign64(m.fs1D(), m.fs2D())); }
export function fmin_d<M>(m: M): void { m.setFdD(m.fmin64(m.fs1D(), m.fs2D())); }
export function fmax_d<M>(m: M): void { m.setFdD(m.fmax64(m.fs1D(), m.fs2D())); }
export function fle_d<M>(m: M): void { m.setRd(m.fromBool(m.fle64(m.fs1D(), m.fs2D()))); }
export function flt_d<M>(m: M): void { m.setRd(m.fromBool(m.flt64(m.fs1D(), m.fs2D()))); }
export function feq_d<M>(m: M): void { m.setRd(m.fromBool(m.feq64(m.fs1D(), m.fs2D()))); }
export function fclass_d<M>(m: M): void { m.setRd(m.fclass64(m.fs1D())); }
export function fcvt_w_d<M>(m: M): void { m.setRd(m.f64ToS32(m.fs1D(), m.rm())); }
export function fcvt_wu_d<M>(m: M): void { m.setRd(m.f64ToU32(m.fs1D(), m.rm())); }
export function fcvt_l_d<M>(m: M): void { m.setRd(m.f64ToS64(m.fs1D(), m.rm())); }
export function fcvt_lu_d<M>(m: M): void { m.setRd(m.f64ToU64(m.fs1D(), m.rm())); }
export function fcvt_d_w<M>(m: M): void { m.setFdD(m.s32ToF64(m.rs1(), m.rm())); }
export function fcvt_d_wu<M>(m: M): void { m.setFdD(m.u32ToF64(m.rs1(), m.rm())); }
export function fcvt_d_l<M>(m: M): void { m.setFdD(m.s64ToF64(m.rs1(), m.rm())); }
export function fcvt_d_lu<M>(m: M): void { m.setFdD(m.u64ToF64(m.rs1(), m.rm())); }
export function fcvt_s_d<M>(m: M): void { m.setFdS(m.f64To32(m.fs1D(), m.rm())); }
export function fcvt_d_s<M>(m: M): void { m.setFdD(m.f32To64(m.fs1S())); }
export function fmv_x_d<M>(m: M): void { m.setRd(m.fs1Bits()); }
export function fmv_d_x<M>(m: M): void { m.setFdD(m.bits64(m.rs1())); }
