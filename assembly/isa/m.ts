// M: multiplication and division. Division by zero and overflow have defined results
// (chapter 13.2), which the operations themselves supply.
export function mul<M>(m: M): void { m.setRd(m.mul(m.rs1(), m.rs2())); }
export function mulh<M>(m: M): void { m.setRd(m.mulHigh(m.rs1(), m.rs2())); }
export function mulhsu<M>(m: M): void { m.setRd(m.mulHighSU(m.rs1(), m.rs2())); }
export function mulhu<M>(m: M): void { m.setRd(m.mulHighU(m.rs1(), m.rs2())); }
export function div<M>(m: M): void { m.setRd(m.divS(m.rs1(), m.rs2())); }
export function divu<M>(m: M): void { m.setRd(m.divU(m.rs1(), m.rs2())); }
export function rem<M>(m: M): void { m.setRd(m.remS(m.rs1(), m.rs2())); }
export function remu<M>(m: M): void { m.setRd(m.remU(m.rs1(), m.rs2())); }
export function mulw<M>(m: M): void { m.setRd(m.mul32(m.rs1(), m.rs2())); }
export function divw<M>(m: M): void { m.setRd(m.divS32(m.rs1(), m.rs2())); }
export function divuw<M>(m: M): void { m.setRd(m.divU32(m.rs1(), m.rs2())); }
export function remw<M>(m: M): void { m.setRd(m.remS32(m.rs1(), m.rs2())); }
export function remuw<M>(m: M): void { m.setRd(m.remU32(m.rs1(), m.rs2())); }
