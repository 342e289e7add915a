// Exit counters: how often the guest left itself, by cause. An open-addressing hash table
// of 16-byte buckets {key u64, count u64} from Layout.EXIT_COUNTERS; key 0 is an empty
// bucket. A key names one cause:
//
//   63    56 55      48 47     46   44  43 40 39                     0
//   [ kind  | instance | direction |other| bar |       register       ]
//
// `register` is the offset of the access in the device's own window, for a PCI BAR its
// offset in `bar`; for an unmapped access the address; for a hypercall EID << 8 | FID.
// Once the table holds LIMIT keys, new causes are counted under their kind and direction
// with the OTHER bit set and nothing else: those always find room.

/** Kinds below 32 are DeviceKind (abi/device.ts). */
export const enum ExitKind {
  HYPERCALL = 32,
  /** Exceptions that the hypervisor itself served; the register is the cause. */
  TRAP = 33,
  INTERRUPT = 34,
  /** Hypercalls that were refused, numbered as those that were served. */
  REFUSED = 35,
  /** Kinds are below this. */
  COUNT = 64,
}

export const enum ExitDirection {
  READ = 0,
  WRITE = 1,
  /** Neither: a call, a trap. */
  CALL = 2,
}

export const enum ExitCounter {
  BUCKETS = 4096,
  BUCKET_SIZE = 16,
  /** Keys in use beyond which new causes go to OTHER; leaves room for every kind's. */
  LIMIT = 3072,
  /** From Layout.EXIT_COUNTERS: u32, keys in use. */
  USED = 0x1_0000,

  // Bit positions in the key's high 32 bits.
  KIND_SHIFT = 24,
  INSTANCE_SHIFT = 16,
  DIRECTION_SHIFT = 14,
  OTHER = 1 << 12,
  BAR_SHIFT = 8,
  BAR_MASK = 0xf,
  /** Bits 39:32 of the register. */
  REGISTER_HIGH = 0xff,
}
