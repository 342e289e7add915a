// FAT16 volumes, which every firmware reads (Microsoft's FAT specification, fatgen103): written
// for a boot loader, each file in one run of clusters, dates and serial number fixed, so that
// one list of entries has one image.
//
// Own code because the image must be the same to the byte on every host, and come from
// browsers too; the packages that write FAT work on a device and take their dates from a clock.
//
//   sector 0      boot sector: the volume's geometry
//   then          file allocation table, twice: the number of the cluster after each, u16
//   then          root directory, 512 entries of 32 bytes
//   then          clusters, numbered from 2
//
// A name that is not an upper-case 8.3 name takes more directory entries in front of its own:
// 13 UTF-16 characters each, the last part first, tied to the short name by a checksum.
//
// Left out: FAT12 and FAT32 (small volumes are padded until they are FAT16; the largest that
// FAT16 allows is 2 GiB), symbolic links and device files, which FAT cannot hold.
import { type FileEntry, ImageError, withParents } from "./file-tree.ts";

const SECTOR = 512;
const RESERVED_SECTORS = 1;
const FATS = 2;
const ENTRY = 32;
const ROOT_ENTRIES = 512;
const ROOT_SECTORS = (ROOT_ENTRIES * ENTRY) / SECTOR;
const MEDIA_FIXED = 0xf8;
const BOOT_SIGNATURE = 0xaa55;

/** A volume is FAT16 if it has this many clusters: the count alone decides. */
const LEAST_CLUSTERS = 4085;
const MOST_CLUSTERS = 65_524;
const FIRST_CLUSTER = 2;
const CLUSTER_SECTORS_MOST = 64;
const END_OF_CHAIN = 0xffff;

const ATTRIBUTE_VOLUME = 0x08;
const ATTRIBUTE_DIRECTORY = 0x10;
const ATTRIBUTE_ARCHIVE = 0x20;
const ATTRIBUTE_LONG_NAME = 0x0f;
const LONG_NAME_CHARACTERS = 13;
const LONG_NAME_MOST = 255;
const LAST_LONG_ENTRY = 0x40;
/** 1980-01-01, the first date there is. */
const DATE = (1 << 5) | 1;
const SERIAL = 0x5041_5241;

/** Names in a volume; space and case matter to nobody who reads it. */
const VOLUME_LABEL = "PARAVANE   ";

export interface FatOptions {
  /** Sectors in front of the volume, left empty in the image, for a partition table. */
  startSector?: number;
}

interface Node {
  name: string;
  /** A file's contents, or a directory's entries. */
  content: Uint8Array | Map<string, Node>;
  cluster: number;
  clusters: number;
}

const isDirectory = (node: Node): boolean => node.content instanceof Map;
/** FAT does not tell names apart by case. */
const keyOf = (name: string): string => name.toUpperCase();

function tree(entries: Iterable<FileEntry>): Node {
  const root: Node = { name: "", content: new Map(), cluster: 0, clusters: 0 };
  for (const entry of withParents(entries)) {
    if (entry.kind === "symlink" || entry.kind === "device") {
      throw new ImageError(`${entry.path} is a ${entry.kind}, which FAT cannot hold: leave it out`);
    }
    const names = entry.path.split("/");
    const name = names.pop()!;
    let parent = root;
    for (const part of names) parent = (parent.content as Map<string, Node>).get(keyOf(part))!;
    if (!isDirectory(parent)) throw new ImageError(`${entry.path} is below a file: rename one of them`);
    const siblings = parent.content as Map<string, Node>;
    if (siblings.has(keyOf(name))) {
      throw new ImageError(`${entry.path} is there already: FAT tells no names apart by their case, so rename one`);
    }
    checkName(entry.path, name);
    const content = entry.kind === "file" ? entry.data : new Map<string, Node>();
    siblings.set(keyOf(name), { name, content, cluster: 0, clusters: 0 });
  }
  return root;
}

function checkName(path: string, name: string): void {
  const isControl = [...name].some((character) => character < " ");
  if (name.length > LONG_NAME_MOST || isControl || /["*/:<>?\\|]|[. ]$/.test(name)) {
    throw new ImageError(`${path}: "${name}" is no name for FAT: use up to ${LONG_NAME_MOST} letters, digits, - and _`);
  }
}

/** True for a name that its directory entry can hold as it is. */
function isShort(name: string): boolean {
  return /^[A-Z0-9_-]{1,8}(\.[A-Z0-9_-]{1,3})?$/.test(name);
}

/** Eleven characters for the directory entry: the name itself, or its beginning and a number. */
function shortName(name: string, taken: Set<string>): string {
  const [, base, extension] = /^(.*?)(?:\.([^.]*))?$/s.exec(keyOf(name))!;
  const clean = (text: string): string => text.replace(/[^A-Z0-9_-]/g, "_");
  const tail = clean(extension ?? "")
    .slice(0, 3)
    .padEnd(3);
  const plain = clean(base).slice(0, 8).padEnd(8) + tail;
  if (isShort(name)) return plain;
  for (let number = 1; ; number++) {
    const suffix = `~${number}`;
    const short =
      clean(base)
        .slice(0, 8 - suffix.length)
        .concat(suffix)
        .padEnd(8) + tail;
    if (!taken.has(short)) return short;
  }
}

function shortNames(siblings: Map<string, Node>): Map<Node, string> {
  const taken = new Set<string>();
  const names = new Map<Node, string>();
  // Names that are short already keep theirs.
  const nodes = [...siblings.values()];
  for (const node of [...nodes.filter((it) => isShort(it.name)), ...nodes.filter((it) => !isShort(it.name))]) {
    const short = shortName(node.name, taken);
    taken.add(short);
    names.set(node, short);
  }
  return names;
}

function writeAscii(out: Uint8Array, offset: number, text: string): void {
  for (let i = 0; i < text.length; i++) out[offset + i] = text.charCodeAt(i);
}

const longEntries = (name: string): number => (isShort(name) ? 0 : Math.ceil(name.length / LONG_NAME_CHARACTERS));

/** Directory entries of a directory, "." and ".." or the volume's label included. */
function entryCount(directory: Node, isRoot: boolean): number {
  let count = isRoot ? 1 : 2;
  for (const { name } of (directory.content as Map<string, Node>).values()) count += longEntries(name) + 1;
  return count;
}

function checksum(short: string): number {
  let sum = 0;
  for (let i = 0; i < short.length; i++) sum = (((sum & 1) << 7) + (sum >> 1) + short.charCodeAt(i)) & 0xff;
  return sum;
}

/** Where the characters of a long-name entry lie: five, six and two of them. */
const LONG_NAME_PLACES = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

function writeLongName(view: DataView, offset: number, name: string, short: string): number {
  const count = longEntries(name);
  for (let part = count; part > 0; part--, offset += ENTRY) {
    view.setUint8(offset, part | (part === count ? LAST_LONG_ENTRY : 0));
    view.setUint8(offset + 11, ATTRIBUTE_LONG_NAME);
    view.setUint8(offset + 13, checksum(short));
    for (const [i, place] of LONG_NAME_PLACES.entries()) {
      const at = (part - 1) * LONG_NAME_CHARACTERS + i;
      const unit = at < name.length ? name.charCodeAt(at) : at === name.length ? 0 : 0xffff;
      view.setUint16(offset + place, unit, true);
    }
  }
  return offset;
}

function writeEntry(view: DataView, offset: number, short: string, attribute: number, cluster = 0, size = 0): number {
  writeAscii(new Uint8Array(view.buffer, view.byteOffset), offset, short);
  view.setUint8(offset + 11, attribute);
  for (const date of [16, 18, 24]) view.setUint16(offset + date, DATE, true);
  view.setUint16(offset + 26, cluster, true);
  view.setUint32(offset + 28, size, true);
  return offset + ENTRY;
}

class Volume {
  readonly #root: Node;
  readonly #clusterBytes: number;
  readonly #startSector: number;
  readonly #sectors: number;
  readonly #fatSectors: number;
  /** In order of their clusters; the root, which has none of its own, is not among them. */
  readonly #nodes: Node[] = [];

  constructor(root: Node, clusterSectors: number, startSector: number) {
    this.#root = root;
    this.#clusterBytes = clusterSectors * SECTOR;
    this.#startSector = startSector;
    this.#place(root);
    const clusters = Math.max(this.#nextCluster - FIRST_CLUSTER, LEAST_CLUSTERS);
    this.#fatSectors = Math.ceil(((clusters + FIRST_CLUSTER) * 2) / SECTOR);
    this.#sectors = RESERVED_SECTORS + FATS * this.#fatSectors + ROOT_SECTORS + clusters * clusterSectors;
  }

  #nextCluster = FIRST_CLUSTER;

  /** Gives clusters to everything below `directory`. */
  #place(directory: Node): void {
    for (const node of (directory.content as Map<string, Node>).values()) {
      const size = isDirectory(node) ? entryCount(node, false) * ENTRY : (node.content as Uint8Array).length;
      node.clusters = Math.ceil(size / this.#clusterBytes);
      node.cluster = node.clusters === 0 ? 0 : this.#nextCluster;
      this.#nextCluster += node.clusters;
      this.#nodes.push(node);
      if (isDirectory(node)) this.#place(node);
    }
  }

  get fits(): boolean {
    return this.#nextCluster - FIRST_CLUSTER <= MOST_CLUSTERS;
  }

  write(): Uint8Array<ArrayBuffer> {
    const image = new Uint8Array((this.#startSector + this.#sectors) * SECTOR);
    const start = this.#startSector * SECTOR;
    this.#writeBootSector(new DataView(image.buffer, start, SECTOR));
    for (let i = 0; i < FATS; i++) {
      const offset = start + (RESERVED_SECTORS + i * this.#fatSectors) * SECTOR;
      this.#writeFat(new DataView(image.buffer, offset, this.#fatSectors * SECTOR));
    }
    const rootOffset = start + (RESERVED_SECTORS + FATS * this.#fatSectors) * SECTOR;
    this.#writeDirectory(new DataView(image.buffer, rootOffset, ROOT_SECTORS * SECTOR), this.#root, undefined);
    const data = rootOffset + ROOT_SECTORS * SECTOR;
    for (const node of this.#nodes) {
      const offset = data + (node.cluster - FIRST_CLUSTER) * this.#clusterBytes;
      if (!isDirectory(node)) {
        if (node.clusters > 0) image.set(node.content as Uint8Array, offset);
        continue;
      }
      const view = new DataView(image.buffer, offset, node.clusters * this.#clusterBytes);
      this.#writeDirectory(view, node, this.#parentOf(node));
    }
    return image;
  }

  #parentOf(node: Node): Node {
    const holds = (it: Node): boolean =>
      isDirectory(it) && (it.content as Map<string, Node>).get(keyOf(node.name)) === node;
    return this.#nodes.find(holds) ?? this.#root;
  }

  #writeBootSector(view: DataView): void {
    const text = (offset: number, value: string): void =>
      writeAscii(new Uint8Array(view.buffer, view.byteOffset), offset, value);
    view.setUint8(0, 0xeb); // jump over the fields, as readers expect; there is nothing to run
    view.setUint8(1, 0x3c);
    view.setUint8(2, 0x90);
    text(3, "PARAVANE");
    view.setUint16(11, SECTOR, true);
    view.setUint8(13, this.#clusterBytes / SECTOR);
    view.setUint16(14, RESERVED_SECTORS, true);
    view.setUint8(16, FATS);
    view.setUint16(17, ROOT_ENTRIES, true);
    view.setUint16(19, this.#sectors < 0x1_0000 ? this.#sectors : 0, true);
    view.setUint8(21, MEDIA_FIXED);
    view.setUint16(22, this.#fatSectors, true);
    view.setUint16(24, 63, true); // sectors a track, heads: of no disk in particular
    view.setUint16(26, 255, true);
    view.setUint32(28, this.#startSector, true);
    view.setUint32(32, this.#sectors < 0x1_0000 ? 0 : this.#sectors, true);
    view.setUint8(36, 0x80);
    view.setUint8(38, 0x29); // serial number, label and type follow
    view.setUint32(39, SERIAL, true);
    text(43, VOLUME_LABEL);
    text(54, "FAT16   ");
    view.setUint16(510, BOOT_SIGNATURE, true);
  }

  #writeFat(view: DataView): void {
    view.setUint16(0, 0xff00 | MEDIA_FIXED, true);
    view.setUint16(2, END_OF_CHAIN, true);
    for (const { cluster, clusters } of this.#nodes) {
      for (let i = 0; i < clusters; i++) {
        view.setUint16((cluster + i) * 2, i + 1 < clusters ? cluster + i + 1 : END_OF_CHAIN, true);
      }
    }
  }

  /** `parent` is undefined for the root. */
  #writeDirectory(view: DataView, directory: Node, parent: Node | undefined): void {
    let offset = 0;
    if (parent === undefined) offset = writeEntry(view, offset, VOLUME_LABEL, ATTRIBUTE_VOLUME);
    else {
      offset = writeEntry(view, offset, ".".padEnd(11), ATTRIBUTE_DIRECTORY, directory.cluster);
      offset = writeEntry(view, offset, "..".padEnd(11), ATTRIBUTE_DIRECTORY, parent.cluster);
    }
    const siblings = directory.content as Map<string, Node>;
    const names = shortNames(siblings);
    for (const node of siblings.values()) {
      const short = names.get(node)!;
      offset = writeLongName(view, offset, node.name, short);
      const attribute = isDirectory(node) ? ATTRIBUTE_DIRECTORY : ATTRIBUTE_ARCHIVE;
      const size = isDirectory(node) ? 0 : (node.content as Uint8Array).length;
      offset = writeEntry(view, offset, short, attribute, node.cluster, size);
    }
  }
}

/**
 * A FAT16 volume of files and directories, behind `startSector` empty sectors of 512 bytes.
 * @throws ImageError for entries that FAT cannot hold, and for more than 2 GiB of them.
 */
export function writeFat16(
  entries: Iterable<FileEntry>,
  { startSector = 0 }: FatOptions = {},
): Uint8Array<ArrayBuffer> {
  const root = tree(entries);
  if (entryCount(root, true) > ROOT_ENTRIES) {
    throw new ImageError("more names than FAT16's root directory holds: put files into a directory");
  }
  for (let sectors = 1; sectors <= CLUSTER_SECTORS_MOST; sectors *= 2) {
    const volume = new Volume(root, sectors, startSector);
    if (volume.fits) return volume.write();
  }
  throw new ImageError("the files are larger than the 2 GiB that FAT16 holds: make them smaller");
}
