// A: load-reserved, store-conditional and atomic memory operations. `Amo` is what the
// memory word becomes, given its old value and rs2.
export const enum Amo { SWAP, ADD, XOR, AND, OR, MIN, MAX, MINU, MAXU }

export function lr_w<M>(m: M): bool { return m.loadReserved32(); }
export function lr_d<M>(m: M): bool { return m.loadReserved64(); }
export function sc_w<M>(m: M): bool { return m.storeConditional32(); }
export function sc_d<M>(m: M): bool { return m.storeConditional64(); }
export function amoswap_w<M>(m: M): bool { return m.amo32(Amo.SWAP); }
export function amoadd_w<M>(m: M): bool { return m.amo32(Amo.ADD); }
export function amoxor_w<M>(m: M): bool { return m.amo32(Amo.XOR); }
export function amoand_w<M>(m: M): bool { return m.amo32(Amo.AND); }
export function amoor_w<M>(m: M): bool { return m.amo32(Amo.OR); }
export function amomin_w<M>(m: M): bool { return m.amo32(Amo.MIN); }
export function amomax_w<M>(m: M): bool { return m.amo32(Amo.MAX); }
export function amominu_w<M>(m: M): bool { return m.amo32(Amo.MINU); }
export function amomaxu_w<M>(m: M): bool { return m.amo32(Amo.MAXU); }
export function amoswap_d<M>(m: M): bool { return m.amo64(Amo.SWAP); }
export function amoadd_d<M>(m: M): bool { return m.amo64(Amo.ADD); }
export function amoxor_d<M>(m: M): bool { return m.amo64(Amo.XOR); }
export function amoand_d<M>(m: M): bool { return m.amo64(Amo.AND); }
export function amoor_d<M>(m: M): bool { return m.amo64(Amo.OR); }
export function amomin_d<M>(m: M): bool { return m.amo64(Amo.MIN); }
export function amomax_d<M>(m: M): bool { return m.amo64(Amo.MAX); }
export function amominu_d<M>(m: M): bool { return m.amo64(Amo.MINU); }
export function amomaxu_d<M>(m: M): bool { return m.amo64(Amo.MAXU); }
