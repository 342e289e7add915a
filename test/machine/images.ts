// Kernel files made to measure: a Linux Image with or without its PE headers, and ELF programs.
const encoder = new TextEncoder();

export interface ImageOptions {
  textOffset?: bigint;
  imageSize?: bigint;
  /** Bytes of the file. */
  length?: number;
  flags?: number;
  /** Adds PE headers with one section of so many bytes at 0x1000. */
  peSection?: number;
  peMachine?: number;
}

export function linuxImage(options: ImageOptions = {}): Uint8Array {
  const bytes = new Uint8Array(options.length ?? 0x3000);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, options.textOffset ?? 0x20_0000n, true);
  view.setBigUint64(16, options.imageSize ?? 0x10_0000n, true);
  view.setUint8(24, options.flags ?? 0);
  bytes.set(encoder.encode("RISCV\0\0\0RSC\x05"), 0x30);
  if (options.peSection !== undefined) {
    bytes.set(encoder.encode("MZ"), 0);
    view.setUint32(0x3c, 0x40, true);
    bytes.set(encoder.encode("PE\0\0"), 0x40);
    view.setUint16(0x44, options.peMachine ?? 0x5064, true);
    view.setUint16(0x46, 1, true);
    view.setUint16(0x54, 0xa0, true);
    const section = 0x40 + 24 + 0xa0;
    view.setUint32(section + 16, options.peSection, true);
    view.setUint32(section + 20, 0x1000, true);
  }
  return bytes;
}

export interface ElfSegment {
  virtual: bigint;
  physical: bigint;
  bytes: number;
  size: bigint;
}

export interface ElfOptions {
  machine?: number;
  type?: number;
  class?: number;
  data?: number;
  entry?: bigint;
  segments?: ElfSegment[];
}

export const RAM_SEGMENT: ElfSegment = { virtual: 0x8000_0000n, physical: 0x8000_0000n, bytes: 0x100, size: 0x2000n };

export function elf(options: ElfOptions = {}): Uint8Array {
  const segments = options.segments ?? [RAM_SEGMENT];
  const bytes = new Uint8Array(64 + segments.length * 56 + segments.reduce((n, segment) => n + segment.bytes, 0));
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, options.class ?? 2, options.data ?? 1, 1]);
  view.setUint16(16, options.type ?? 2, true);
  view.setUint16(18, options.machine ?? 243, true);
  view.setBigUint64(24, options.entry ?? 0x8000_0010n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  let offset = 64 + segments.length * 56;
  for (const [i, segment] of segments.entries()) {
    const at = 64 + i * 56;
    view.setUint32(at, 1, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, segment.virtual, true);
    view.setBigUint64(at + 24, segment.physical, true);
    view.setBigUint64(at + 32, BigInt(segment.bytes), true);
    view.setBigUint64(at + 40, segment.size, true);
    bytes.fill(i + 1, offset, offset + segment.bytes);
    offset += segment.bytes;
  }
  return bytes;
}
