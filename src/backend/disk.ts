// What a disk device talks to. A backend answers at once: the engine's call copies straight
// between the disk and guest memory, so a request is finished before the guest's next
// instruction. Only a flush may take its time.
//
// Offsets and lengths arrive as the device checked them: within `size`. A backend throws
// DiskError; the guest sees its errno.
import type { DiskError } from "../errors.ts";

export const SECTOR = 512;

/** Why a range is no longer needed: its contents may be forgotten, or must read as zeroes. */
export const DiscardKind = { DISCARD: 0, WRITE_ZEROES: 1 } as const;
export type DiscardKind = (typeof DiscardKind)[keyof typeof DiscardKind];

export interface DiskBackend {
  /** For messages: a path, "memory", ... */
  readonly name: string;
  /** Bytes, a multiple of 512. Changes by resize() alone. */
  readonly size: number;
  readonly readOnly: boolean;
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
  discard(offset: number, length: number, kind: DiscardKind): void;
  /** Makes everything written so far durable before it returns. */
  flush(): void;
  /** The same without waiting; absent where flush() takes no time. Calls back once, with the error if there was one. */
  flushLater?(done: (error?: DiskError) => void): void;
  /**
   * Changes `size` to `bytes`, a multiple of 512; absent where that cannot be. What is added reads as zeroes.
   * @throws OptionError if the disk cannot be made that large.
   */
  resize?(bytes: number): void;
  /** Flushes and gives up what the backend holds. Nothing is called after it. */
  close(): void;
}

/** Largest usable size: whole sectors. */
export function wholeSectors(bytes: number): number {
  return Math.floor(bytes / SECTOR) * SECTOR;
}
