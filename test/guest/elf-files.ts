// Small ELF files for tests, laid out by hand: 64-bit, little-endian.

function header(size: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(size);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** Strings with a NUL behind each, and where each begins. */
function stringTable(strings: readonly string[]): { bytes: Uint8Array; offsets: number[] } {
  const offsets: number[] = [];
  let text = "\0";
  for (const string of strings) {
    offsets.push(text.length);
    text += `${string}\0`;
  }
  return { bytes: new TextEncoder().encode(text), offsets };
}

export interface SharedObjectParts {
  needed: string[];
  runPath?: string;
  soname?: string;
  interpreter?: string;
}

/** A shared object with program headers, a dynamic section and its strings, and nothing else. */
export function sharedObject({ needed, runPath, soname, interpreter }: SharedObjectParts): Uint8Array {
  const LOAD_ADDRESS = 0x10000;
  const tagged: [number, string][] = needed.map((name) => [1, name]);
  if (soname !== undefined) tagged.push([14, soname]);
  if (runPath !== undefined) tagged.push([29, runPath]);
  const strings = stringTable([...tagged.map(([, text]) => text), ...(interpreter ? [interpreter] : [])]);

  const programHeaders = 64;
  const dynamic = programHeaders + 3 * 56;
  const dynamicSize = (tagged.length + 3) * 16;
  const stringsAt = dynamic + dynamicSize;
  const { bytes, view } = header(stringsAt + strings.bytes.length);
  bytes.set(strings.bytes, stringsAt);
  view.setBigUint64(32, BigInt(programHeaders), true);
  view.setUint16(54, 56, true);
  view.setUint16(56, interpreter ? 3 : 2, true);
  const segment = (index: number, type: number, offset: number, size: number): void => {
    const at = programHeaders + index * 56;
    view.setUint32(at, type, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, BigInt(LOAD_ADDRESS + offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
  };
  segment(0, 1, 0, bytes.length);
  segment(1, 2, dynamic, dynamicSize);
  if (interpreter) segment(2, 3, stringsAt + (strings.offsets.at(-1) ?? 0), interpreter.length + 1);
  const tags: [number, number][] = [
    ...tagged.map(([tag], index): [number, number] => [tag, strings.offsets[index]]),
    [5, LOAD_ADDRESS + stringsAt],
    [10, strings.bytes.length],
    [0, 0],
  ];
  tags.forEach(([tag, value], index) => {
    view.setBigUint64(dynamic + index * 16, BigInt(tag), true);
    view.setBigUint64(dynamic + index * 16 + 8, BigInt(value), true);
  });
  return bytes;
}

/** A relocatable file with a section .modinfo, as modules have it. */
export function kernelModule(info: { name: string; depends: string; alias: string[] }): Uint8Array {
  const content = new TextEncoder().encode(
    [...info.alias.map((alias) => `alias=${alias}`), `depends=${info.depends}`, `name=${info.name}`]
      .map((pair) => `${pair}\0`)
      .join(""),
  );
  const names = stringTable([".modinfo", ".shstrtab"]);
  const contentAt = 64;
  const namesAt = contentAt + content.length;
  const sections = namesAt + names.bytes.length;
  const { bytes, view } = header(sections + 3 * 64);
  bytes.set(content, contentAt);
  bytes.set(names.bytes, namesAt);
  view.setBigUint64(40, BigInt(sections), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 3, true);
  view.setUint16(62, 2, true);
  const section = (index: number, name: number, offset: number, size: number): void => {
    const at = sections + index * 64;
    view.setUint32(at, name, true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
  };
  section(1, names.offsets[0], contentAt, content.length);
  section(2, names.offsets[1], namesAt, names.bytes.length);
  return bytes;
}

const PROGRAM_AT = 0x1_0000;
/** Where the code of `staticProgram` is in memory. */
export const CODE_AT: number = PROGRAM_AT + 64 + 56;

/** A riscv64 program of one segment, which is entered at the code's first instruction. */
export function staticProgram(code: Uint8Array): Uint8Array {
  const { bytes, view } = header(64 + 56 + code.length);
  bytes.set(code, 64 + 56);
  const wide = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 243, true); // EM_RISCV
  view.setUint32(20, 1, true);
  wide(24, CODE_AT);
  wide(32, 64);
  view.setUint32(48, 5, true); // RVC, double-float ABI
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // PT_LOAD, read and execute
  view.setUint32(68, 5, true);
  wide(64 + 16, PROGRAM_AT);
  wide(64 + 24, PROGRAM_AT);
  wide(64 + 32, bytes.length);
  wide(64 + 40, bytes.length);
  wide(64 + 48, 0x1000);
  return bytes;
}
