// Copies a file and leaves holes for its zeros: a disk image of gigabytes is mostly that.
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

const PIECE = 1024 * 1024;
const ZEROS = Buffer.alloc(PIECE);

/** @throws what node:fs does, as for a disk that is full. */
export function copySparse(from: string, to: string): void {
  const source = openSync(from, "r");
  try {
    const target = openSync(to, "w", 0o600);
    try {
      const piece = Buffer.alloc(PIECE);
      let at = 0;
      for (let length = readSync(source, piece, 0, PIECE, at); length > 0; ) {
        const bytes = piece.subarray(0, length);
        if (!bytes.equals(ZEROS.subarray(0, length))) {
          for (let done = 0; done < length; ) done += writeSync(target, bytes, done, length - done, at + done);
        }
        at += length;
        length = readSync(source, piece, 0, PIECE, at);
      }
      ftruncateSync(target, at);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}
