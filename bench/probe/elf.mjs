// Just enough of ELF64, little-endian (System V gABI, "Object Files"), to compare two builds of the probe and to see
// that one holds no absolute address.

const SHT_NOBITS = 8;
const SHT_RELA = 4;
const RELA_SIZE = 24;

// RISC-V ELF psABI, "Relocations": those whose value changes with the address that an image is loaded at.
const ABSOLUTE = new Map([
  [1, "R_RISCV_32"],
  [2, "R_RISCV_64"],
  [26, "R_RISCV_HI20"],
  [27, "R_RISCV_LO12_I"],
  [28, "R_RISCV_LO12_S"],
]);

/** The sections of an ELF file: `{name, type, address, size, bytes}`; a section without bytes in the file has none. */
export function sections(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const at = Number(view.getBigUint64(0x28, true));
  const entrySize = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const raw = Array.from({ length: count }, (_, i) => {
    const entry = at + i * entrySize;
    const type = view.getUint32(entry + 4, true);
    const offset = Number(view.getBigUint64(entry + 0x18, true));
    const size = Number(view.getBigUint64(entry + 0x20, true));
    return {
      nameOffset: view.getUint32(entry, true),
      type,
      address: Number(view.getBigUint64(entry + 0x10, true)),
      size,
      bytes: type === SHT_NOBITS ? new Uint8Array(0) : file.subarray(offset, offset + size),
    };
  });
  const names = raw[view.getUint16(0x3e, true)].bytes;
  return raw.map(({ nameOffset, ...section }) => ({
    name: new TextDecoder().decode(names.subarray(nameOffset, names.indexOf(0, nameOffset))),
    ...section,
  }));
}

/** Describes each absolute relocation in a file linked with --emit-relocs. */
export function absoluteRelocations(file) {
  const found = [];
  for (const { name, type, bytes } of sections(file)) {
    if (type !== SHT_RELA) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + RELA_SIZE <= bytes.byteLength; at += RELA_SIZE) {
      const kind = ABSOLUTE.get(view.getUint32(at + 8, true));
      if (kind) found.push(`${kind} at 0x${view.getBigUint64(at, true).toString(16)} (${name})`);
    }
  }
  return found;
}

/** Says in which sections two ELF files differ, and where each difference begins. */
export function differences(built, committed) {
  const found = [];
  const old = new Map(sections(committed).map((section) => [section.name, section]));
  for (const section of sections(built)) {
    const other = old.get(section.name);
    old.delete(section.name);
    if (!other) {
      found.push(`${section.name || "(null)"}: only in the rebuilt file`);
      continue;
    }
    if (section.size !== other.size) found.push(`${section.name}: ${section.size} bytes, committed ${other.size}`);
    const length = Math.min(section.bytes.length, other.bytes.length);
    let at = 0;
    while (at < length && section.bytes[at] === other.bytes[at]) at++;
    if (at < length) found.push(`${section.name}: first different byte at 0x${(section.address + at).toString(16)}`);
  }
  for (const name of old.keys()) found.push(`${name}: only in the committed file`);
  return found.length > 0 ? found : ["headers only"];
}
