// Bits of mstatus, mip/mie and the environment configuration registers.
export namespace Status {
  export const SIE: u64 = 1 << 1;
  export const MIE: u64 = 1 << 3;
  export const SPIE: u64 = 1 << 5;
  export const MPIE: u64 = 1 << 7;
  export const SPP: u64 = 1 << 8;
  export const MPP: u64 = 3 << 11;
  export const FS: u64 = 3 << 13;
  export const MPRV: u64 = 1 << 17;
  export const SUM: u64 = 1 << 18;
  export const MXR: u64 = 1 << 19;
  export const TVM: u64 = 1 << 20;
  export const TW: u64 = 1 << 21;
  export const TSR: u64 = 1 << 22;
  export const UXL: u64 = (<u64>2) << 32;
  export const SXL: u64 = (<u64>2) << 34;
  export const SD: u64 = (<u64>1) << 63;
  /** What sstatus shows of mstatus (Privileged Architecture 12.1.1). */
  export const SSTATUS: u64 = SIE | SPIE | SPP | FS | SUM | MXR | ((<u64>3) << 32) | SD;
  export const SSTATUS_WRITABLE: u64 = SIE | SPIE | SPP | FS | SUM | MXR;
  export const WRITABLE: u64 = SSTATUS_WRITABLE | MIE | MPIE | MPP | MPRV | TVM | TW | TSR;
}

export namespace Pending {
  export const SSI: u64 = 1 << 1;
  export const MSI: u64 = 1 << 3;
  export const STI: u64 = 1 << 5;
  export const MTI: u64 = 1 << 7;
  export const SEI: u64 = 1 << 9;
  export const MEI: u64 = 1 << 11;
  export const S: u64 = SSI | STI | SEI;
  export const ALL: u64 = S | MSI | MTI | MEI;
}

export namespace EnvCfg {
  export const FIOM: u64 = 1;
  export const CBIE: u64 = 3 << 4;
  export const CBCFE: u64 = 1 << 6;
  export const CBZE: u64 = 1 << 7;
  export const ADUE: u64 = (<u64>1) << 61;
  export const PBMTE: u64 = (<u64>1) << 62;
  export const STCE: u64 = (<u64>1) << 63;
}
