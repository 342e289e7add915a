// What an ELF file says about the files it needs: the shared objects of a program
// (gABI, "Dynamic Section") and the `modinfo` of a Linux kernel module. For unpacking
// packages; loading kernels and programs into a guest is elf.ts.
//
// Only 64-bit little-endian files. They come from packages, so nothing is trusted: every
// table and string is bounded by the file.

import { ImageError } from "./file-tree.ts";

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
/** Tags of the dynamic section. */
const enum Dt {
  NULL = 0,
  NEEDED = 1,
  STRTAB = 5,
  STRSZ = 10,
  SONAME = 14,
  RPATH = 15,
  RUNPATH = 29,
}

interface Segment {
  type: number;
  offset: number;
  address: number;
  size: number;
}

/** What the dynamic loader will ask for. */
export interface DynamicNeeds {
  /** File names of shared objects. */
  needed: string[];
  /** Directories to look in first (DT_RUNPATH, else DT_RPATH). */
  runPath: string[];
  /** The name by which others need this object. */
  soname: string | undefined;
  /** Path of the program's loader (PT_INTERP); only programs have it. */
  interpreter: string | undefined;
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 64 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

function viewOf(bytes: Uint8Array): DataView {
  if (!isElf(bytes) || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new ImageError("elf: no 64-bit little-endian ELF file");
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkRange(bytes: Uint8Array, offset: number, size: number, what: string): void {
  if (!(offset >= 0 && size >= 0 && offset + size <= bytes.length)) {
    throw new ImageError(
      `elf: the ${what} at ${offset}, ${size} bytes, lies outside the file of ${bytes.length} bytes`,
    );
  }
}

const u64 = (view: DataView, offset: number): number => Number(view.getBigUint64(offset, true));

function stringAt(bytes: Uint8Array, offset: number, limit: number): string {
  const end = bytes.indexOf(0, offset);
  if (offset >= limit || end === -1 || end >= limit) throw new ImageError(`elf: the string at ${offset} has no end`);
  return new TextDecoder().decode(bytes.subarray(offset, end));
}

function segments(bytes: Uint8Array, view: DataView): Segment[] {
  const table = u64(view, 32);
  const entrySize = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (count > 0 && entrySize < 56) throw new ImageError(`elf: program headers of ${entrySize} bytes`);
  checkRange(bytes, table, entrySize * count, "program header table");
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * entrySize;
    return {
      type: view.getUint32(at, true),
      offset: u64(view, at + 8),
      address: u64(view, at + 16),
      size: u64(view, at + 32),
    };
  });
}

/** Needs of a program or shared object; empty for a static one. */
export function dynamicNeeds(bytes: Uint8Array): DynamicNeeds {
  const view = viewOf(bytes);
  const all = segments(bytes, view);
  const interp = all.find(({ type }) => type === PT_INTERP);
  const dynamic = all.find(({ type }) => type === PT_DYNAMIC);
  const needs: DynamicNeeds = { needed: [], runPath: [], soname: undefined, interpreter: undefined };
  if (interp) {
    checkRange(bytes, interp.offset, interp.size, "interpreter");
    needs.interpreter = stringAt(bytes, interp.offset, interp.offset + interp.size);
  }
  if (!dynamic) return needs;
  checkRange(bytes, dynamic.offset, dynamic.size, "dynamic section");

  const tags: [Dt, number][] = [];
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
    const tag = u64(view, at);
    if (tag === Dt.NULL) break;
    tags.push([tag, u64(view, at + 8)]);
  }
  const firstOf = (wanted: Dt): number | undefined => tags.find(([tag]) => tag === wanted)?.[1];
  const address = firstOf(Dt.STRTAB) ?? 0;
  const size = firstOf(Dt.STRSZ) ?? 0;
  const home = all.find((s) => s.type === PT_LOAD && address >= s.address && address + size <= s.address + s.size);
  if (!home) throw new ImageError("elf: the dynamic strings lie in no loaded segment");
  const strings = home.offset + (address - home.address);
  checkRange(bytes, strings, size, "dynamic strings");

  const text = (offset: number): string => stringAt(bytes, strings + offset, strings + size);
  needs.needed = tags.filter(([tag]) => tag === Dt.NEEDED).map(([, value]) => text(value));
  const soname = firstOf(Dt.SONAME);
  if (soname !== undefined) needs.soname = text(soname);
  const path = firstOf(Dt.RUNPATH) ?? firstOf(Dt.RPATH);
  if (path !== undefined) needs.runPath = text(path).split(":").filter(Boolean);
  return needs;
}

/** The bytes of the section `name`, or undefined. */
function section(bytes: Uint8Array, name: string): Uint8Array | undefined {
  const view = viewOf(bytes);
  const table = u64(view, 40);
  const entrySize = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const names = view.getUint16(62, true);
  if (count === 0 || entrySize < 64 || names >= count) return undefined;
  checkRange(bytes, table, entrySize * count, "section header table");
  const place = (index: number): [number, number] => {
    const at = table + index * entrySize;
    return [u64(view, at + 24), u64(view, at + 32)];
  };
  const [strings, stringsSize] = place(names);
  checkRange(bytes, strings, stringsSize, "section names");
  for (let index = 0; index < count; index++) {
    const at = strings + view.getUint32(table + index * entrySize, true);
    if (stringAt(bytes, at, strings + stringsSize) !== name) continue;
    const [offset, size] = place(index);
    checkRange(bytes, offset, size, `section ${name}`);
    return bytes.subarray(offset, offset + size);
  }
  return undefined;
}

/** What a kernel module declares with MODULE_INFO: `key=value` strings in `.modinfo`. */
export interface ModuleInfo {
  name: string;
  depends: string[];
  aliases: string[];
}

export function moduleInfo(bytes: Uint8Array): ModuleInfo {
  const content = section(bytes, ".modinfo");
  if (!content) throw new ImageError("elf: no section .modinfo: this is no kernel module");
  const pairs = new TextDecoder()
    .decode(content)
    .split("\0")
    .filter(Boolean)
    .map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)] as const);
  const all = (key: string): string[] => pairs.filter(([k]) => k === key).map(([, value]) => value);
  return {
    name: all("name")[0] ?? "",
    depends: (all("depends")[0] ?? "").split(",").filter(Boolean),
    aliases: all("alias"),
  };
}
