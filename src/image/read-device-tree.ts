// Flattened device tree, read: Devicetree Specification 0.4, chapter 5 (machine/device-tree.ts writes it, and shows the layout).
// Trees come from strangers: every offset and length is checked against the block that it is in, nodes, properties and depth
// are bounded, and nothing is read twice. Memory reservations are left out.
import { ImageError } from "./file-tree.ts";

export interface TreeNode {
  /** "serial@10000000"; "" for the root. */
  name: string;
  parent: TreeNode | undefined;
  /** Values as they stand there, in the tree's own memory. */
  properties: Map<string, Uint8Array>;
}

const MAGIC = 0xd00dfeed;
/** The version that the layout below is of. The one before does not say how long the structure is. */
const VERSION = 17;
const HEADER_SIZE = 40;
const MOST_BYTES = 64 * 1024 * 1024;
const MOST_NODES = 100_000;
const MOST_PROPERTIES = 1_000_000;
const MOST_DEPTH = 64;
/** 31 characters by section 2.2.1, and a unit address; Linux's own are longer at times. */
const MOST_NAME = 255;

const enum Header {
  MAGIC = 0,
  TOTAL_SIZE = 4,
  STRUCT = 8,
  STRINGS = 12,
  VERSION = 20,
  LAST_COMPATIBLE = 24,
  STRINGS_SIZE = 32,
  STRUCT_SIZE = 36,
}

const enum Token {
  BEGIN_NODE = 1,
  END_NODE = 2,
  PROP = 3,
  NOP = 4,
  END = 9,
}

const decoder = new TextDecoder();

/** The text at `at` up to its zero, within `block`. Undefined if it has none within `most` bytes. */
function textAt(block: Uint8Array, at: number, most: number): string | undefined {
  const end = block.subarray(0, at + most + 1).indexOf(0, at);
  return at < block.length && end >= 0 ? decoder.decode(block.subarray(at, end)) : undefined;
}

/** A property's value as the strings that it is a list of. */
export function treeStrings(value: Uint8Array | undefined): string[] {
  return value === undefined ? [] : decoder.decode(value).split("\0").filter(Boolean);
}

/** Whether what the node describes can be used: neither it nor anything above it says otherwise (section 2.3.4). */
export function isAvailable(node: TreeNode): boolean {
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.parent) {
    const [status = "okay"] = treeStrings(at.properties.get("status"));
    if (status !== "okay" && status !== "ok") return false;
  }
  return true;
}

/**
 * The nodes of a tree, each behind its parent; the first is the root. `what` names the tree in messages.
 * @throws ImageError for what is no device tree, or a damaged one.
 */
export function readDeviceTree(bytes: Uint8Array, what = "the device tree"): TreeNode[] {
  const damaged = (why: string): ImageError => new ImageError(`${what} is damaged (${why}): make it again with dtc`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_SIZE || view.getUint32(Header.MAGIC) !== MAGIC) {
    throw new ImageError(`${what} is no flattened device tree: give a .dtb file, such as dtc makes`);
  }
  const total = view.getUint32(Header.TOTAL_SIZE);
  if (total > bytes.length || total > MOST_BYTES) throw damaged(`${total} bytes are announced`);
  if (view.getUint32(Header.LAST_COMPATIBLE) > VERSION) {
    throw new ImageError(`${what} is of a version after ${VERSION}: make it with dtc -V ${VERSION}`);
  }
  const block = (name: string, start: number, size: number): Uint8Array => {
    if (start + size > total) throw damaged(`its ${name} block leaves the file`);
    return bytes.subarray(start, start + size);
  };
  const strings = block("strings", view.getUint32(Header.STRINGS), view.getUint32(Header.STRINGS_SIZE));
  const start = view.getUint32(Header.STRUCT);
  const isOld = view.getUint32(Header.VERSION) < VERSION;
  const struct = block("structure", start, isOld ? Math.max(total - start, 0) : view.getUint32(Header.STRUCT_SIZE));

  const words = new DataView(struct.buffer, struct.byteOffset, struct.byteLength);
  let at = 0;
  const word = (): number => {
    if (at + 4 > struct.length) throw damaged("it ends within its structure");
    at += 4;
    return words.getUint32(at - 4);
  };
  const align = (): void => {
    at = (at + 3) & ~3;
  };

  const nodes: TreeNode[] = [];
  const open: TreeNode[] = [];
  let properties = 0;
  for (;;) {
    const token = word();
    const parent = open.at(-1);
    switch (token) {
      case Token.NOP:
        break;
      case Token.BEGIN_NODE: {
        const name = textAt(struct, at, MOST_NAME);
        if (name === undefined) throw damaged("a node's name has no end");
        at += new TextEncoder().encode(name).length + 1;
        align();
        if (open.length >= MOST_DEPTH) throw damaged(`nodes lie more than ${MOST_DEPTH} deep`);
        if (nodes.length >= MOST_NODES) throw damaged(`more than ${MOST_NODES} nodes`);
        if (parent === undefined && nodes.length > 0) throw damaged("it has two roots");
        const node: TreeNode = { name, parent, properties: new Map() };
        nodes.push(node);
        open.push(node);
        break;
      }
      case Token.PROP: {
        const [length, nameAt] = [word(), word()];
        if (length > struct.length - at) throw damaged("a property leaves its structure");
        const name = textAt(strings, nameAt, MOST_NAME);
        if (name === undefined || parent === undefined) throw damaged("a property has no name, or no node");
        if (++properties > MOST_PROPERTIES) throw damaged(`more than ${MOST_PROPERTIES} properties`);
        parent.properties.set(name, struct.subarray(at, at + length));
        at += length;
        align();
        break;
      }
      case Token.END_NODE:
        if (open.pop() === undefined) throw damaged("a node ends that did not begin");
        break;
      case Token.END:
        if (open.length > 0 || nodes.length === 0) throw damaged("it ends within a node");
        return nodes;
      default:
        throw damaged(`token ${token}`);
    }
  }
}
