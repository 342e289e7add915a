// Copy-on-write over any disk: reads come from the base until a block is written, writes
// stay in memory and are gone when the overlay is. The base is never written.
//
// Blocks are 64 KiB, kept in a sparse map by number, so a guest that writes little costs
// little whatever the disk's size.
import { DiscardKind, type DiskBackend } from "./disk.ts";

const BLOCK = 65536;

export function overlayDisk(base: DiskBackend): DiskBackend {
  const blocks = new Map<number, Uint8Array>();
  let { size } = base;
  /** How far the base still shows: a disk that was made smaller has forgotten the rest. */
  let baseEnd = size;

  const readBase = (offset: number, into: Uint8Array): void => {
    const within = Math.max(0, Math.min(into.length, baseEnd - offset));
    if (within > 0) base.read(offset, into.subarray(0, within));
    into.fill(0, within);
  };

  /** Calls `visit` for each block that the range touches: its number, where in it, and where in the range. */
  const eachBlock = (
    offset: number,
    length: number,
    visit: (block: number, at: number, done: number, count: number) => void,
  ): void => {
    for (let done = 0; done < length; ) {
      const block = Math.floor((offset + done) / BLOCK);
      const at = offset + done - block * BLOCK;
      const count = Math.min(BLOCK - at, length - done);
      visit(block, at, done, count);
      done += count;
    }
  };

  /** The overlay's own copy of `block`. One that will be overwritten whole is not read from the base. */
  const own = (block: number, overwritten: boolean): Uint8Array => {
    let bytes = blocks.get(block);
    if (bytes === undefined) {
      bytes = new Uint8Array(BLOCK);
      if (!overwritten) readBase(block * BLOCK, bytes);
      blocks.set(block, bytes);
    }
    return bytes;
  };

  return {
    name: `overlay over ${base.name}`,
    get size() {
      return size;
    },
    readOnly: false,
    read(offset, into) {
      eachBlock(offset, into.length, (block, at, done, count) => {
        const bytes = blocks.get(block);
        if (bytes) into.set(bytes.subarray(at, at + count), done);
        else readBase(offset + done, into.subarray(done, done + count));
      });
    },
    write(offset, from) {
      eachBlock(offset, from.length, (block, at, done, count) => {
        own(block, count === BLOCK).set(from.subarray(done, done + count), at);
      });
    },
    discard(offset, length, kind) {
      if (kind === DiscardKind.DISCARD) return;
      eachBlock(offset, length, (block, at, _done, count) => {
        own(block, count === BLOCK).fill(0, at, at + count);
      });
    },
    flush() {},
    resize(bytes) {
      for (const [block, own] of blocks) {
        const end = bytes - block * BLOCK;
        if (end <= 0) blocks.delete(block);
        else if (end < BLOCK) own.fill(0, end);
      }
      baseEnd = Math.min(baseEnd, bytes);
      size = bytes;
    },
    close() {
      blocks.clear();
      base.close();
    },
  };
}
