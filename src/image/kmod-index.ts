// The binary indexes of kmod (modules.dep.bin, modules.alias.bin), which its modprobe reads in place of the
// texts of the same names: a trie, all numbers big-endian (kmod: libkmod/libkmod-index.c).
//
//   magic, version, then the offset of the root node, all u32
//   a node: its prefix with a zero, if flagged; first and last character of its children and so many offsets, if
//   flagged; the number of values, and each a priority and a string with a zero, if flagged
//
// The flags are the upper four bits of the offset by which a node is reached.

const MAGIC = 0xb007_f457;
const VERSION = 0x0002_0001;
const HEADER_SIZE = 12;
const FLAG_PREFIX = 0x8000_0000;
const FLAG_VALUES = 0x4000_0000;
const FLAG_CHILDREN = 0x2000_0000;

interface Node {
  prefix: string;
  children: Map<number, Node>;
  values: { priority: number; value: string }[];
}

export interface IndexEntry {
  key: string;
  value: string;
}

const newNode = (prefix: string): Node => ({ prefix, children: new Map(), values: [] });

function insert(root: Node, { key, value }: IndexEntry, priority: number): void {
  let node = root;
  let rest = key;
  for (;;) {
    let common = 0;
    while (common < node.prefix.length && node.prefix[common] === rest[common]) common++;
    if (common < node.prefix.length) {
      // The node is split: what is below it stays below the longer part of its prefix.
      const below: Node = { prefix: node.prefix.slice(common + 1), children: node.children, values: node.values };
      node.children = new Map([[node.prefix.charCodeAt(common), below]]);
      node.values = [];
      node.prefix = node.prefix.slice(0, common);
    }
    rest = rest.slice(common);
    if (rest === "") {
      node.values.push({ priority, value });
      return;
    }
    const next = rest.charCodeAt(0);
    const child = node.children.get(next);
    rest = rest.slice(1);
    if (child === undefined) {
      node.children.set(next, { ...newNode(rest), values: [{ priority, value }] });
      return;
    }
    node = child;
  }
}

/** An index of `entries`, whose keys are ASCII; of several values of a key the earlier comes first. */
export function writeKmodIndex(entries: readonly IndexEntry[]): Uint8Array {
  const root = newNode("");
  entries.forEach((entry, priority) => {
    insert(root, entry, priority);
  });
  const encoder = new TextEncoder();
  const out: number[] = new Array(HEADER_SIZE).fill(0);
  const word = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  const text = (string: string) => [...encoder.encode(string), 0];

  /** Writes what is below first; the offset of the node, with its flags. */
  const write = (node: Node): number => {
    const characters = [...node.children.keys()].sort((a, b) => a - b);
    const offsets = new Map(characters.map((character) => [character, write(node.children.get(character) as Node)]));
    const at = out.length;
    let flags = 0;
    if (node.prefix !== "") {
      flags |= FLAG_PREFIX;
      out.push(...text(node.prefix));
    }
    if (characters.length > 0) {
      flags |= FLAG_CHILDREN;
      const [first, last] = [characters[0], characters[characters.length - 1]];
      out.push(first, last);
      for (let character = first; character <= last; character++) out.push(...word(offsets.get(character) ?? 0));
    }
    if (node.values.length > 0) {
      flags |= FLAG_VALUES;
      const sorted = [...node.values].sort((a, b) => a.priority - b.priority);
      out.push(...word(sorted.length));
      for (const { priority, value } of sorted) out.push(...word(priority), ...text(value));
    }
    return (at | flags) >>> 0;
  };
  const start = write(root);
  [MAGIC, VERSION, start].forEach((value, i) => {
    out.splice(4 * i, 4, ...word(value));
  });
  return Uint8Array.from(out);
}
