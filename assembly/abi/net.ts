// Network frames between the engine and its host. A frame is an Ethernet frame without its
// check sequence. Where it crosses the border unfinished, with a checksum to be filled in or
// a TCP segment to be cut, a header of 12 bytes says what is missing: virtio_net_hdr of
// virtio 1.2, 5.1.6, little-endian.

/** Network ports of a guest: one for each of its network devices, whatever model. */
export const NET_PORTS = 8;

/** Longest frame: an Ethernet header with a VLAN tag, and 64 KiB that are still to be cut. */
export const NET_FRAME_MAX = 65_554;

/** What may be missing from a frame: what the side that takes it will do itself. */
export const enum NetOffload {
  NONE = 0,
  /** A checksum: NEEDS_CSUM. */
  CHECKSUM = 1 << 0,
  /** Cutting into segments: TCP over IPv4, TCP over IPv6. Both imply CHECKSUM. */
  TSO4 = 1 << 1,
  TSO6 = 1 << 2,
  /** The same of TCP whose first segment tells of congestion (CWR, RFC 3168): NetGso.ECN. */
  ECN = 1 << 3,
}

/** Offsets in the header. */
export const enum NetHeader {
  FLAGS = 0, // u8, NetHeaderFlag
  GSO_TYPE = 1, // u8, NetGso
  HDR_LEN = 2, // u16, bytes of headers in front of a segment's data; a hint
  GSO_SIZE = 4, // u16, bytes of data in a segment
  CSUM_START = 6, // u16, where summing begins
  CSUM_OFFSET = 8, // u16, from there, where the sum goes
  NUM_BUFFERS = 10, // u16, of meaning between driver and device alone
  SIZE = 12,
}

export const enum NetHeaderFlag {
  NEEDS_CSUM = 1,
  DATA_VALID = 2,
}

export const enum NetGso {
  NONE = 0,
  TCPV4 = 1,
  TCPV6 = 4,
  /** Added to the others: the segment has ECN set. */
  ECN = 0x80,
}

/** What the engine keeps for all network devices together, as offsets from Dev.NET. */
export const enum NetAt {
  /** A table of NET_PORTS entries: which device a port is, and what the host set. State. */
  PORTS = 0x000,
  PORT_SIZE = 0x20,

  // --- of meaning inside one call alone ---
  /** Header of the frame that the host gives (netDeliver). */
  HEADER_IN = 0x100,
  /** Header of the frame that a device gives (netSend). */
  HEADER_OUT = 0x110,
  /** The first bytes of the frame for which netRoom is asked, zeros behind a shorter one: what filters and steering look at. */
  PEEK = 0x140,
  PEEK_SIZE = 64,
  /** Where a device's own header of a received frame goes: {count u32, reserved u32}, then up to 12 pieces. */
  HEADER_PIECES = 0x180,
  /** The queue as it was before netRoom took from it. */
  SAVED_QUEUE = 0x200,
  /** {count u32, reserved u32}, then {address u32, length u32} a piece: of a frame from the guest, of room for one. */
  PIECES_OUT = 0x240,
  PIECES_IN = 0xa50,
  PIECE_SIZE = 8,
  MAX_PIECES = 256,
  /** Buffers that netRoom took, as the device needs to give them back: 8 bytes each, MAX_TAKEN of them. */
  TAKEN = 0x1260,
  MAX_TAKEN = 128,

  // --- state again ---
  /** A port's tables of addresses and flows. */
  TABLES = 0x1800,
  TABLES_SIZE = 0x100,
  END = 0x2000,
}

/** Where a frame lies that the engine is to cut into segments (netSegments), as addresses inside Layout.STAGING. Of meaning inside one call alone. */
export const enum NetCut {
  /** u32 each: the segment to go on with, and how many were delivered, and lost. */
  NEXT = 0x42_0000,
  DELIVERED = 0x42_0004,
  LOST = 0x42_0008,
  /** Headers of the segment under way. */
  HEAD = 0x42_0040,
  HEAD_SIZE = 160,
  FRAME = 0x42_0100,
}

/** What netRoom answers with instead of an address. */
export const enum NetRoom {
  /** No room now: netReady() will say when there is some. */
  NONE = 0,
  /** The device can never take this frame: it is lost. */
  LOST = 1,
}
