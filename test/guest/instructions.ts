// Programs of a few instructions for tests, put together by hand.

const SRST = 0x5352_5354;
const [ZERO, A0, A1, A6, A7] = [0, 10, 11, 16, 17];
export const addi = (rd: number, rs1: number, imm: number) => ((imm << 20) | (rs1 << 15) | (rd << 7) | 0x13) >>> 0;
export const lui = (rd: number, imm20: number) => ((imm20 << 12) | (rd << 7) | 0x37) >>> 0;
export const lw = (rd: number, rs1: number, imm: number) =>
  ((imm << 20) | (rs1 << 15) | (2 << 12) | (rd << 7) | 0x03) >>> 0;
const store = (width: number) => (rs1: number, rs2: number, imm: number) =>
  (((imm >> 5) << 25) | (rs2 << 20) | (rs1 << 15) | (width << 12) | ((imm & 31) << 7) | 0x23) >>> 0;
export const sb = store(0);
export const sw = store(2);
export const ECALL = 0x73;

/** A RISC-V Image of these instructions after its 64 bytes of header. */
export function program(...instructions: number[]): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0400_006f, true); // j .+64
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, 4096n, true);
  bytes.set(new TextEncoder().encode("RISCV\0\0\0RSC\x05"), 0x30);
  for (const [i, word] of instructions.entries()) view.setUint32(64 + 4 * i, word, true);
  return bytes;
}

/** sbi_system_reset(type, reason). */
export const systemReset = (type: number, reason = 0) => [
  lui(A7, SRST >>> 12),
  addi(A7, A7, SRST & 0xfff),
  addi(A6, ZERO, 0),
  addi(A0, ZERO, type),
  addi(A1, ZERO, reason),
  ECALL,
];
