// Bits of Machine.CPU_EXTENSIONS: what `--cpu` can take away.
export const enum Ext {
  I = 0,
  M = 1,
  A = 2,
  F = 3,
  D = 4,
  C = 5,
  ZICSR = 6,
  ZIFENCEI = 7,
  ZICNTR = 8,
  ZIHPM = 9,
  ZBA = 10,
  ZBB = 11,
  ZBS = 12,
  ZICBOM = 13,
  ZICBOZ = 14,
  SSTC = 15,
  SVADU = 16,
  SVINVAL = 17,
  SV48 = 18,
  SV57 = 19,
  S = 20,
  U = 21,
  ZIHINTPAUSE = 22,
  ZICBOP = 23,
  SVPBMT = 24,
  SVNAPOT = 25,
  SVVPTC = 26,
  SMAIA = 27,
  SSAIA = 28,
  ZKR = 29,
}

/** Bytes of the cache blocks that Zicbom manages and Zicboz zeroes, as the device tree says. */
export const enum CacheBlock {
  MANAGED = 64,
  ZERO = 4096,
}
