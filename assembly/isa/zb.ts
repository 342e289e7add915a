// Zba, Zbb and Zbs: address generation, basic and single-bit manipulation.
export function add_uw<M>(m: M): void { m.setRd(m.add(m.zext32(m.rs1()), m.rs2())); }
export function sh1add<M>(m: M): void { m.setRd(m.add(m.shl(m.rs1(), m.constant(1)), m.rs2())); }
export function sh2add<M>(m: M): void { m.setRd(m.add(m.shl(m.rs1(), m.constant(2)), m.rs2())); }
export function sh3add<M>(m: M): void { m.setRd(m.add(m.shl(m.rs1(), m.constant(3)), m.rs2())); }
export function sh1add_uw<M>(m: M): void { m.setRd(m.add(m.shl(m.zext32(m.rs1()), m.constant(1)), m.rs2())); }
export function sh2add_uw<M>(m: M): void { m.setRd(m.add(m.shl(m.zext32(m.rs1()), m.constant(2)), m.rs2())); }
export function sh3add_uw<M>(m: M): void { m.setRd(m.add(m.shl(m.zext32(m.rs1()), m.constant(3)), m.rs2())); }
export function slli_uw<M>(m: M): void { m.setRd(m.shl(m.zext32(m.rs1()), m.imm())); }

export function andn<M>(m: M): void { m.setRd(m.and(m.rs1(), m.not(m.rs2()))); }
export function orn<M>(m: M): void { m.setRd(m.or(m.rs1(), m.not(m.rs2()))); }
export function xnor<M>(m: M): void { m.setRd(m.not(m.xor(m.rs1(), m.rs2()))); }
export function clz<M>(m: M): void { m.setRd(m.clz64(m.rs1())); }
export function ctz<M>(m: M): void { m.setRd(m.ctz64(m.rs1())); }
export function cpop<M>(m: M): void { m.setRd(m.popcnt64(m.rs1())); }
export function clzw<M>(m: M): void { m.setRd(m.clz32(m.rs1())); }
export function ctzw<M>(m: M): void { m.setRd(m.ctz32(m.rs1())); }
export function cpopw<M>(m: M): void { m.setRd(m.popcnt64(m.zext32(m.rs1()))); }
export function max<M>(m: M): void { m.setRd(m.maxS(m.rs1(), m.rs2())); }
export function maxu<M>(m: M): void { m.setRd(m.maxU(m.rs1(), m.rs2())); }
export function min<M>(m: M): void { m.setRd(m.minS(m.rs1(), m.rs2())); }
export function minu<M>(m: M): void { m.setRd(m.minU(m.rs1(), m.rs2())); }
export function sext_b<M>(m: M): void { m.setRd(m.sext8(m.rs1())); }
export function sext_h<M>(m: M): void { m.setRd(m.sext16(m.rs1())); }
export function zext_h<M>(m: M): void { m.setRd(m.zext16(m.rs1())); }
export function rol<M>(m: M): void { m.setRd(m.rotl(m.rs1(), m.rs2())); }
export function ror<M>(m: M): void { m.setRd(m.rotr(m.rs1(), m.rs2())); }
export function rori<M>(m: M): void { m.setRd(m.rotr(m.rs1(), m.imm())); }
export function rolw<M>(m: M): void { m.setRd(m.rotl32(m.rs1(), m.rs2())); }
export function rorw<M>(m: M): void { m.setRd(m.rotr32(m.rs1(), m.rs2())); }
export function roriw<M>(m: M): void { m.setRd(m.rotr32(m.rs1(), m.imm())); }
export function orc_b<M>(m: M): void { m.setRd(m.orCombineBytes(m.rs1())); }
export function rev8<M>(m: M): void { m.setRd(m.reverseBytes(m.rs1())); }

export function bclr<M>(m: M): void { m.setRd(m.and(m.rs1(), m.not(m.shl(m.constant(1), m.rs2())))); }
export function bclri<M>(m: M): void { m.setRd(m.and(m.rs1(), m.not(m.shl(m.constant(1), m.imm())))); }
export function bext<M>(m: M): void { m.setRd(m.and(m.shrU(m.rs1(), m.rs2()), m.constant(1))); }
export function bexti<M>(m: M): void { m.setRd(m.and(m.shrU(m.rs1(), m.imm()), m.constant(1))); }
export function binv<M>(m: M): void { m.setRd(m.xor(m.rs1(), m.shl(m.constant(1), m.rs2()))); }
export function binvi<M>(m: M): void { m.setRd(m.xor(m.rs1(), m.shl(m.constant(1), m.imm()))); }
export function bset<M>(m: M): void { m.setRd(m.or(m.rs1(), m.shl(m.constant(1), m.rs2()))); }
export function bseti<M>(m: M): void { m.setRd(m.or(m.rs1(), m.shl(m.constant(1), m.imm()))); }
