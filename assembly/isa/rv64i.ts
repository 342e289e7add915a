// RV64I. Each body says what one instruction does, over a model M of what operations
// mean: compute them (interpreter), or emit them (a translator). Bodies never branch on
// guest values. A `bool` result of a memory body is whether the access was done.
export function lui<M>(m: M): void { m.setRd(m.imm()); }
export function auipc<M>(m: M): void { m.setRd(m.add(m.pc(), m.imm())); }

export function beq<M>(m: M): bool { return m.eq(m.rs1(), m.rs2()); }
export function bne<M>(m: M): bool { return m.ne(m.rs1(), m.rs2()); }
export function blt<M>(m: M): bool { return m.ltS(m.rs1(), m.rs2()); }
export function bge<M>(m: M): bool { return m.geS(m.rs1(), m.rs2()); }
export function bltu<M>(m: M): bool { return m.ltU(m.rs1(), m.rs2()); }
export function bgeu<M>(m: M): bool { return m.geU(m.rs1(), m.rs2()); }

export function lb<M>(m: M): bool { return m.loadS8(); }
export function lh<M>(m: M): bool { return m.loadS16(); }
export function lw<M>(m: M): bool { return m.loadS32(); }
export function ld<M>(m: M): bool { return m.load64(); }
export function lbu<M>(m: M): bool { return m.loadU8(); }
export function lhu<M>(m: M): bool { return m.loadU16(); }
export function lwu<M>(m: M): bool { return m.loadU32(); }
export function sb<M>(m: M): bool { return m.store8(); }
export function sh<M>(m: M): bool { return m.store16(); }
export function sw<M>(m: M): bool { return m.store32(); }
export function sd<M>(m: M): bool { return m.store64(); }

export function addi<M>(m: M): void { m.setRd(m.add(m.rs1(), m.imm())); }
export function slti<M>(m: M): void { m.setRd(m.fromBool(m.ltS(m.rs1(), m.imm()))); }
export function sltiu<M>(m: M): void { m.setRd(m.fromBool(m.ltU(m.rs1(), m.imm()))); }
export function xori<M>(m: M): void { m.setRd(m.xor(m.rs1(), m.imm())); }
export function ori<M>(m: M): void { m.setRd(m.or(m.rs1(), m.imm())); }
export function andi<M>(m: M): void { m.setRd(m.and(m.rs1(), m.imm())); }
export function slli<M>(m: M): void { m.setRd(m.shl(m.rs1(), m.imm())); }
export function srli<M>(m: M): void { m.setRd(m.shrU(m.rs1(), m.imm())); }
export function srai<M>(m: M): void { m.setRd(m.shrS(m.rs1(), m.imm())); }

export function add<M>(m: M): void { m.setRd(m.add(m.rs1(), m.rs2())); }
export function sub<M>(m: M): void { m.setRd(m.sub(m.rs1(), m.rs2())); }
export function sll<M>(m: M): void { m.setRd(m.shl(m.rs1(), m.rs2())); }
export function slt<M>(m: M): void { m.setRd(m.fromBool(m.ltS(m.rs1(), m.rs2()))); }
export function sltu<M>(m: M): void { m.setRd(m.fromBool(m.ltU(m.rs1(), m.rs2()))); }
export function xor<M>(m: M): void { m.setRd(m.xor(m.rs1(), m.rs2())); }
export function srl<M>(m: M): void { m.setRd(m.shrU(m.rs1(), m.rs2())); }
export function sra<M>(m: M): void { m.setRd(m.shrS(m.rs1(), m.rs2())); }
export function or<M>(m: M): void { m.setRd(m.or(m.rs1(), m.rs2())); }
export function and<M>(m: M): void { m.setRd(m.and(m.rs1(), m.rs2())); }

export function addiw<M>(m: M): void { m.setRd(m.add32(m.rs1(), m.imm())); }
export function slliw<M>(m: M): void { m.setRd(m.shl32(m.rs1(), m.imm())); }
export function srliw<M>(m: M): void { m.setRd(m.shrU32(m.rs1(), m.imm())); }
export function sraiw<M>(m: M): void { m.setRd(m.shrS32(m.rs1(), m.imm())); }
export function addw<M>(m: M): void { m.setRd(m.add32(m.rs1(), m.rs2())); }
export function subw<M>(m: M): void { m.setRd(m.sub32(m.rs1(), m.rs2())); }
export function sllw<M>(m: M): void { m.setRd(m.shl32(m.rs1(), m.rs2())); }
export function srlw<M>(m: M): void { m.setRd(m.shrU32(m.rs1(), m.rs2())); }
export function sraw<M>(m: M): void { m.setRd(m.shrS32(m.rs1(), m.rs2())); }

/** Memory ordering: harts take turns, and atomics are sequentially consistent. */
export function fence<M>(m: M): void { m.fence(); }
