// Zicsr, fences, cache-block operations and the privileged instructions. All of them
// look at or change more than registers, so the model does each as a whole.
export function ecall<M>(m: M): void { m.ecall(); }
export function ebreak<M>(m: M): void { m.ebreak(); }

export function csrrw<M>(m: M): void { m.csrWrite(m.rs1()); }
export function csrrs<M>(m: M): void { m.csrSet(m.rs1(), m.rs1Named()); }
export function csrrc<M>(m: M): void { m.csrClear(m.rs1(), m.rs1Named()); }
export function csrrwi<M>(m: M): void { m.csrWrite(m.uimm()); }
export function csrrsi<M>(m: M): void { m.csrSet(m.uimm(), m.uimm() != 0); }
export function csrrci<M>(m: M): void { m.csrClear(m.uimm(), m.uimm() != 0); }

export function fence_i<M>(m: M): void { m.fenceInstructions(); }
export function cbo_inval<M>(m: M): void { m.cacheBlockInvalidate(); }
export function cbo_clean<M>(m: M): void { m.cacheBlockClean(); }
export function cbo_flush<M>(m: M): void { m.cacheBlockClean(); }
export function cbo_zero<M>(m: M): void { m.cacheBlockZero(); }

export function mret<M>(m: M): void { m.returnFromMachine(); }
export function sret<M>(m: M): void { m.returnFromSupervisor(); }
export function wfi<M>(m: M): void { m.waitForInterrupt(); }
export function sfence_vma<M>(m: M): void { m.fenceVma(); }
export function sinval_vma<M>(m: M): void { m.fenceVma(); }
export function sfence_w_inval<M>(m: M): void { m.fenceOrder(); }
export function sfence_inval_ir<M>(m: M): void { m.fenceOrder(); }
