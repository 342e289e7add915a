// Flattened device tree, written: Devicetree Specification 0.4, chapter 5, version 17.
//
//   header            40 bytes, ten big-endian words
//   memory reservations   pairs of u64, ended by a pair of zeros
//   structure         FDT_BEGIN_NODE name, FDT_PROP length name-offset value, FDT_END_NODE, FDT_END
//   strings           property names, each once
//
// The same tree gives the same bytes: properties and children stay in the order given.

/** true is a property without a value; numbers are 32-bit cells. */
export type PropertyValue = true | string | string[] | number | number[] | Uint8Array;

export interface DeviceTreeNode {
  name: string;
  properties: Record<string, PropertyValue>;
  children: DeviceTreeNode[];
}

export interface EncodeOptions {
  /** boot_cpuid_phys: the hart that boots. */
  bootHart?: number;
  /** Unused bytes at the end that totalsize includes, for firmware that adds nodes in place. */
  slack?: number;
}

const MAGIC = 0xd00dfeed;
const VERSION = 17;
const LAST_COMPATIBLE_VERSION = 16;
const HEADER_SIZE = 40;
const RESERVATIONS_SIZE = 16;

const BEGIN_NODE = 1;
const END_NODE = 2;
const PROP = 3;
const END = 9;

const encoder = new TextEncoder();

export function node(
  name: string,
  properties: Record<string, PropertyValue>,
  children: DeviceTreeNode[] = [],
): DeviceTreeNode {
  return { name, properties, children };
}

/** A 64-bit number as two cells. */
export function cells64(value: number): [number, number] {
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}

function encodeCells(cells: number[]): Uint8Array {
  const bytes = new Uint8Array(cells.length * 4);
  const view = new DataView(bytes.buffer);
  cells.forEach((cell, i) => {
    if (!Number.isInteger(cell) || cell < 0 || cell > 0xffff_ffff) throw new RangeError(`${cell} is no 32-bit cell`);
    view.setUint32(i * 4, cell);
  });
  return bytes;
}

function encodeValue(value: PropertyValue): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return encoder.encode(`${value}\0`);
  if (typeof value === "number") return encodeCells([value]);
  if (value.every((item) => typeof item === "string")) return encoder.encode(value.map((item) => `${item}\0`).join(""));
  return encodeCells(value as number[]);
}

/** A block that grows by whole words. */
class Block {
  #parts: Uint8Array[] = [];
  length = 0;

  word(value: number): void {
    this.bytes(encodeCells([value]));
  }

  bytes(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.length += bytes.length;
  }

  align(): void {
    this.bytes(new Uint8Array(-this.length & 3));
  }

  copyTo(target: Uint8Array, offset: number): void {
    let at = offset;
    for (const part of this.#parts) {
      target.set(part, at);
      at += part.length;
    }
  }
}

/** The tree under `root` as a device tree blob. Its length is its totalsize. */
export function encodeDeviceTree(root: DeviceTreeNode, options: EncodeOptions = {}): Uint8Array {
  const structure = new Block();
  const strings = new Block();
  const stringOffsets = new Map<string, number>();

  const nameOffset = (name: string): number => {
    let offset = stringOffsets.get(name);
    if (offset === undefined) {
      offset = strings.length;
      stringOffsets.set(name, offset);
      strings.bytes(encoder.encode(`${name}\0`));
    }
    return offset;
  };

  const write = (tree: DeviceTreeNode): void => {
    structure.word(BEGIN_NODE);
    structure.bytes(encoder.encode(`${tree.name}\0`));
    structure.align();
    for (const [name, value] of Object.entries(tree.properties)) {
      const bytes = encodeValue(value);
      structure.word(PROP);
      structure.word(bytes.length);
      structure.word(nameOffset(name));
      structure.bytes(bytes);
      structure.align();
    }
    for (const child of tree.children) write(child);
    structure.word(END_NODE);
  };
  write(root);
  structure.word(END);

  const structureAt = HEADER_SIZE + RESERVATIONS_SIZE;
  const stringsAt = structureAt + structure.length;
  const size = stringsAt + strings.length + (options.slack ?? 0);
  const blob = new Uint8Array(size);
  const header = [
    MAGIC,
    size,
    structureAt,
    stringsAt,
    HEADER_SIZE,
    VERSION,
    LAST_COMPATIBLE_VERSION,
    options.bootHart ?? 0,
    strings.length,
    structure.length,
  ];
  blob.set(encodeCells(header), 0);
  structure.copyTo(blob, structureAt);
  strings.copyTo(blob, stringsAt);
  return blob;
}
