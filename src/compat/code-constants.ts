// Numbers that RISC-V code names: constants that it puts together, such as the id of an SBI
// extension on its way to a7, and CSRs. Found in any file that holds code, with or without symbols.
//
// Compilers make a constant of 32 bits from lui, which gives the upper 20, and addi or addiw,
// which adds the lower 12, a few instructions later; the first may be compressed. Left out: constants kept in memory, and
// those that are computed from others.

const OPCODE = 0x7f;
const LUI = 0x37;
/** c.lui: its immediate is bits 17:12, the sign in bit 12 of the half. */
const C_LUI_MASK = 0xe003;
const C_LUI = 0x6001;
const ADDI = 0x13;
const ADDIW = 0x1b;
const SYSTEM = 0x73;
/** Bytes behind a lui in which its other half is looked for. */
const REACH = 40;

const register = (word: number, shift: number): number => (word >>> shift) & 31;

/** The upper 20 bits that a c.lui gives. */
const shortUpper = (half: number): number => {
  const bits = ((half >> 7) & 0x20) | ((half >> 2) & 0x1f);
  return (bits & 0x20 ? bits - 0x40 : bits) & 0xf_ffff;
};

/** Code words of `bytes`, two bytes apart as compressed instructions allow. */
function halves(bytes: Uint8Array): Uint16Array {
  const even = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(even.buffer, even.byteOffset, even.byteLength >> 1);
}

/** Those of the 32-bit `values` that code in `bytes` puts together. */
export function constantsInCode(bytes: Uint8Array, values: Iterable<number>): Set<number> {
  const found = new Set<number>();
  /** Values by their lui: the upper 20 bits, one more where the lower 12 count as negative. */
  const byUpper = new Map<number, number[]>();
  for (const value of values) {
    const upper = ((value + 0x800) >>> 12) & 0xf_ffff;
    byUpper.set(upper, [...(byUpper.get(upper) ?? []), value]);
  }
  const code = halves(bytes);
  for (let at = 0; at + 1 < code.length; at++) {
    const isShort = (code[at] & C_LUI_MASK) === C_LUI;
    if (!isShort && (code[at] & OPCODE) !== LUI) continue;
    const word = code[at] | (code[at + 1] << 16);
    const upper = isShort ? shortUpper(code[at]) : word >>> 12;
    const wanted = byUpper.get(upper);
    if (wanted === undefined) continue;
    const from = register(word, 7);
    for (let next = at + (isShort ? 1 : 2); next + 1 < code.length && next < at + REACH / 2; next++) {
      const opcode = code[next] & OPCODE;
      if (opcode !== ADDI && opcode !== ADDIW) continue;
      const add = code[next] | (code[next + 1] << 16);
      if ((add & 0x7000) !== 0 || register(add, 15) !== from) continue;
      const value = ((upper << 12) + (add >> 20)) | 0;
      for (const it of wanted) if ((it | 0) === value) found.add(it);
    }
  }
  return found;
}

/** Those of `csrs` that an instruction in `bytes` reads or writes. For code alone: in other data some word looks like one. */
export function csrsInCode(bytes: Uint8Array, csrs: Iterable<number>): Set<number> {
  const wanted = new Set(csrs);
  const found = new Set<number>();
  const code = halves(bytes);
  for (let at = 0; at + 1 < code.length; at++) {
    if ((code[at] & OPCODE) !== SYSTEM) continue;
    const funct3 = (code[at] >> 12) & 7;
    if (funct3 === 0 || funct3 === 4) continue;
    const csr = code[at + 1] >> 4;
    if (wanted.has(csr)) found.add(csr);
  }
  return found;
}
