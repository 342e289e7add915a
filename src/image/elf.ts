// ELF64 for RISC-V (ELF gABI, chapters 4 and 5; RISC-V ELF psABI): the loadable segments of
// a bare-metal program or a firmware, by physical address. Sections, symbols, relocations
// and dynamic linking are left out: such programs are linked where they run, or relocate themselves.
import { BootError, hex } from "../machine/boot-error.ts";

export interface Segment {
  /** Guest physical address. */
  gpa: number;
  /** What the file holds of it; the rest, up to size, is zeros. */
  bytes: Uint8Array;
  size: number;
}

export interface ElfProgram {
  segments: Segment[];
  /** Guest physical address of the first instruction. */
  entry: number;
}

const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const TYPE_EXEC = 2;
const TYPE_DYN = 3;
const PT_LOAD = 1;
const MOST_PROGRAM_HEADERS = 256;

const MACHINE_RISCV = 243;
const MACHINES: Record<number, string> = {
  3: "32-bit x86",
  8: "MIPS",
  20: "PowerPC",
  21: "64-bit PowerPC",
  22: "S/390",
  40: "32-bit ARM",
  43: "SPARC",
  62: "x86-64",
  183: "ARM64",
  247: "BPF",
  258: "LoongArch",
};

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Offsets, sizes and addresses: what does not fit a number exactly lies outside any file and any RAM anyway. */
function u64(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}

function checkHeader(bytes: Uint8Array, view: DataView, what: string): void {
  if (bytes.length < HEADER_SIZE) throw truncated(what, bytes.length, HEADER_SIZE);
  if (bytes[5] !== LITTLE_ENDIAN)
    throw new BootError(`${what} is a big-endian ELF file: the machine is little-endian RISC-V`);
  const machine = view.getUint16(18, true);
  if (machine !== MACHINE_RISCV) {
    const name = MACHINES[machine] ?? `machine number ${machine}`;
    throw new BootError(`${what} is an ELF file for ${name}: give one built for 64-bit RISC-V`);
  }
  if (bytes[4] !== CLASS_64)
    throw new BootError(`${what} is an ELF file for 32-bit RISC-V: give one built for 64-bit RISC-V`);
  const type = view.getUint16(16, true);
  if (type !== TYPE_EXEC && type !== TYPE_DYN) {
    throw new BootError(`${what} is an ELF file of type ${type}, not an executable: link it first`);
  }
}

function truncated(what: string, have: number, need: number): BootError {
  return new BootError(`${what} is truncated: it has ${have} bytes and its headers speak of ${need}; fetch it again`);
}

/**
 * The program in ELF file `bytes`; `what` names it in messages.
 * @throws BootError if it is truncated, inconsistent, or not for this machine.
 */
export function readElf(bytes: Uint8Array, what: string): ElfProgram {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkHeader(bytes, view, what);
  const headersAt = u64(view, 32);
  const headerSize = view.getUint16(54, true);
  const headerCount = view.getUint16(56, true);
  if (headerCount === 0) throw new BootError(`${what} is an ELF file without segments: link it into a program`);
  if (headerSize < PROGRAM_HEADER_SIZE || headerCount > MOST_PROGRAM_HEADERS) {
    throw new BootError(`${what} is a damaged ELF file: ${headerCount} program headers of ${headerSize} bytes`);
  }
  const headersEnd = headersAt + headerSize * headerCount;
  if (headersEnd > bytes.length) throw truncated(what, bytes.length, headersEnd);

  const segments: Segment[] = [];
  const virtualEntry = u64(view, 24);
  let entry: number | undefined;
  for (let i = 0; i < headerCount; i++) {
    const at = headersAt + i * headerSize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = u64(view, at + 8);
    const fileSize = u64(view, at + 32);
    const size = u64(view, at + 40);
    if (size === 0) continue;
    if (offset + fileSize > bytes.length) throw truncated(what, bytes.length, offset + fileSize);
    if (fileSize > size)
      throw new BootError(`${what} is a damaged ELF file: segment ${i} is larger in the file than in memory`);
    const gpa = u64(view, at + 24);
    segments.push({ gpa, bytes: bytes.subarray(offset, offset + fileSize), size });
    // The entry is a virtual address: it lies as far into its segment there as here. BigInt,
    // for a kernel's virtual addresses are above 2^53.
    const into = view.getBigUint64(24, true) - view.getBigUint64(at + 16, true);
    if (into >= 0n && into < BigInt(size)) entry = gpa + Number(into);
  }
  if (segments.length === 0) throw new BootError(`${what} is an ELF file with nothing to load: link it into a program`);
  if (entry === undefined) {
    throw new BootError(
      `${what} is an ELF file whose entry ${hex(virtualEntry)} lies in none of its segments: link it again`,
    );
  }
  return { segments, entry };
}
