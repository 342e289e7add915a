// The boot ROM of the firmware boot, at 0x1000 where every hart begins in M-mode. What it
// leaves in the registers is what QEMU's `virt` leaves, and what OpenSBI and U-Boot expect:
//
//   a0  mhartid
//   a1  device tree
//   a2  struct fw_dynamic_info (OpenSBI, docs/firmware/fw_dynamic.md)
//
// and it jumps to the firmware. Code first, then the words that it loads, then the struct.
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";

const CODE_SIZE = 24;
const FIRMWARE_AT = CODE_SIZE;
const DEVICE_TREE_AT = CODE_SIZE + 8;
const INFO_AT = CODE_SIZE + 16;
const INFO_SIZE = 48;

const INFO_MAGIC = 0x4942_534f; // "OSBI"
const INFO_VERSION = 2;
const NEXT_MODE_S = 1;

const T0 = 5;
const A0 = 10;
const A1 = 11;
const A2 = 12;
const CSR_MHARTID = 0xf14;

// The encodings that are needed (Unprivileged Architecture, chapter 2; Zicsr): U-type and I-type.
const auipc = (rd: number, imm20: number) => ((imm20 << 12) | (rd << 7) | 0x17) >>> 0;
const iType = (opcode: number, funct3: number) => (rd: number, rs1: number, imm12: number) =>
  ((imm12 << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0;
const addi = iType(0x13, 0);
const ld = iType(0x03, 3);
const jalr = iType(0x67, 0);
const csrrs = iType(0x73, 2);

export interface ResetVector {
  /** Guest physical address of the firmware's first instruction. */
  firmware: number;
  deviceTree: number;
  /** Where the firmware continues in S-mode. */
  next: number;
  /** fw_dynamic's preferred boot hart. */
  bootHart: number;
}

/** The ROM's bytes, to lie at PhysicalMap.MROM. */
export function resetVector(boot: ResetVector): Uint8Array {
  const bytes = new Uint8Array(INFO_AT + INFO_SIZE);
  const view = new DataView(bytes.buffer);
  const code = [
    auipc(T0, 0),
    addi(A2, T0, INFO_AT),
    csrrs(A0, 0, CSR_MHARTID),
    ld(A1, T0, DEVICE_TREE_AT),
    ld(T0, T0, FIRMWARE_AT),
    jalr(0, T0, 0),
  ];
  for (const [i, word] of code.entries()) view.setUint32(i * 4, word, true);
  const doubleword = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  doubleword(FIRMWARE_AT, boot.firmware);
  doubleword(DEVICE_TREE_AT, boot.deviceTree);
  const info = [INFO_MAGIC, INFO_VERSION, boot.next, NEXT_MODE_S, 0, boot.bootHart];
  for (const [i, value] of info.entries()) doubleword(INFO_AT + i * 8, value);
  return bytes;
}

export const RESET_VECTOR: number = PhysicalMap.MROM;
