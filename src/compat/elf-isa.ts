// Which ISA an ELF program was built for, and the pages that it can be mapped by (RISC-V ELF
// psABI, "Attributes" and "File Header"): the string of Tag_RISCV_arch in .riscv.attributes, else
// what e_flags say; p_align of the segments.
import { isElf } from "../image/elf-metadata.ts";
import { findText, stringAt } from "./bytes.ts";

const MACHINE_RISCV = 243;
const PT_LOAD = 1;
const PT_RISCV_ATTRIBUTES = 0x7000_0003;
const SHT_RISCV_ATTRIBUTES = 0x7000_0003;
const FLAG_RVC = 1;
const FLAG_FLOAT = 6;
const FLOAT_SINGLE = 2;
const FLOAT_DOUBLE = 4;
const MOST_HEADERS = 1024;
const MOST_STRING = 4096;
const MOST_EXTENSIONS = 256;

export interface ProgramNeeds {
  /** Names of extensions in lower case, single letters first: "i", "m", ..., "zba". */
  extensions: string[];
  /** The largest page in bytes that all segments are aligned to, or 0 if it has none. */
  align: number;
}

/**
 * Names that stand for properties of memory and caches (RVA profiles, "RVA20U64 Mandatory Base" and later ones), and bring no
 * instruction that a hart could lack: programs built for a profile list them, ISA strings of hardware hardly ever do.
 */
const PROPERTIES = ["ziccif", "ziccrse", "ziccamoa", "ziccamoc", "zicclsm", "za64rs", "za128rs", "zic64b"];

/** What an extension brings along: a program for "zaamo" runs where there is "a". */
const BRINGS: Record<string, readonly string[]> = {
  // Until version 2.1 they were part of it, and strings without versions mean them still.
  i: ["zicsr", "zifencei"],
  m: ["zmmul"],
  a: ["zaamo", "zalrsc"],
  f: ["zicsr"],
  d: ["f"],
  c: ["zca"],
  b: ["zba", "zbb", "zbs"],
  g: ["i", "m", "a", "f", "d", "zicsr", "zifencei"],
  zkr: ["zicsr"],
  zicntr: ["zicsr"],
  zihpm: ["zicsr"],
};

/** Every extension that a hart with `given` has, those included that others bring along. */
export function closure(given: Iterable<string>): Set<string> {
  const all = new Set<string>();
  const queue = [...given];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (all.has(name)) continue;
    all.add(name);
    queue.push(...(BRINGS[name] ?? []));
  }
  if (all.has("c") && all.has("d")) all.add("zcd");
  if (["zba", "zbb", "zbs"].every((name) => all.has(name))) all.add("b");
  return all;
}

/** The extensions in an ISA string, with versions or without: "rv64i2p1_m2p0_zicsr2p0", "rv64imafdc_zba". */
export function parseIsa(text: string): string[] {
  const [first, ...rest] = text.toLowerCase().split("_");
  const letters = /^rv(?:32|64)([a-z0-9]*)$/.exec(first)?.[1];
  if (letters === undefined) return [];
  const names = [...letters.matchAll(/([a-z])(?:\d+p\d+|\d+)?/g)].map((match) => match[1]);
  if (names[0] === "g") names.splice(0, 1, ...BRINGS.g);
  for (const word of rest.slice(0, MOST_EXTENSIONS)) {
    // A version ends the name: zve32x and sv39 end in what could be one, so it must have a p.
    const name = word.replace(/\d+p\d+$/, "");
    if (/^[a-z][a-z0-9]*$/.test(name)) names.push(name);
  }
  return names;
}

/** The string of Tag_RISCV_arch: behind the vendor's name, among tags with ULEB128 numbers. */
function archOf(attributes: Uint8Array): string | undefined {
  // Its own text is enough: no other attribute is a string that begins so.
  const wide = findText(attributes, "rv64");
  const at = wide >= 0 ? wide : findText(attributes, "rv32");
  return at < 0 ? undefined : stringAt(attributes, at, MOST_STRING);
}

/** @returns undefined for what is no RISC-V program. */
export function programNeeds(bytes: Uint8Array): ProgramNeeds | undefined {
  if (!isElf(bytes) || bytes[4] !== 2 || bytes[5] !== 1) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(18, true) !== MACHINE_RISCV) return undefined;

  let align = Number.POSITIVE_INFINITY;
  let attributes: Uint8Array | undefined;
  const piece = (offset: number, size: number): Uint8Array | undefined =>
    offset + size <= bytes.length ? bytes.subarray(offset, offset + size) : undefined;
  const table = (at: bigint, size: number, count: number, least: number, each: (header: number) => void): void => {
    const start = Number(at);
    if (size < least || count > MOST_HEADERS || start + size * count > bytes.length) return;
    for (let i = 0; i < count; i++) each(start + i * size);
  };
  table(view.getBigUint64(32, true), view.getUint16(54, true), view.getUint16(56, true), 56, (header) => {
    const type = view.getUint32(header, true);
    const [offset, size] = [view.getBigUint64(header + 8, true), view.getBigUint64(header + 32, true)];
    if (type === PT_RISCV_ATTRIBUTES) attributes = piece(Number(offset), Number(size));
    if (type === PT_LOAD) align = Math.min(align, Number(view.getBigUint64(header + 48, true)));
  });
  table(view.getBigUint64(40, true), view.getUint16(58, true), view.getUint16(60, true), 64, (header) => {
    if (attributes !== undefined || view.getUint32(header + 4, true) !== SHT_RISCV_ATTRIBUTES) return;
    attributes = piece(Number(view.getBigUint64(header + 24, true)), Number(view.getBigUint64(header + 32, true)));
  });

  const arch = attributes && archOf(attributes);
  const flags = view.getUint32(48, true);
  const float = flags & FLAG_FLOAT;
  const fromFlags = ["i", ...(flags & FLAG_RVC ? ["c"] : [])];
  if (float >= FLOAT_SINGLE) fromFlags.push("f");
  if (float >= FLOAT_DOUBLE) fromFlags.push("d");
  const listed = arch === undefined ? fromFlags : parseIsa(arch);
  const extensions = listed.filter((name) => !PROPERTIES.includes(name));
  return { extensions, align: Number.isFinite(align) ? align : 0 };
}
