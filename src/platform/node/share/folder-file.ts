// An open file of a shared folder.
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  readvSync,
  writevSync,
} from "node:fs";
import type { ShareFile, ShareStat } from "../../../backend/9p/share-backend.ts";
import { shareError, sharing } from "./share-errors.ts";
import type { StatMap } from "./share-stat.ts";

/** Buffers that one call takes (IOV_MAX). */
const VECTOR_MAX = 1024;

export class FolderFile implements ShareFile {
  readonly #descriptor: number;
  readonly #stats: StatMap;
  /** Calls of the host's that still use the descriptor. */
  #busy = 0;
  #isClosed = false;

  constructor(descriptor: number, stats: StatMap) {
    this.#descriptor = descriptor;
    this.#stats = stats;
  }

  read(pieces: readonly Uint8Array[], offset: bigint): number {
    return sharing(() => readvSync(this.#descriptor, vectors(pieces), position(offset)));
  }

  write(pieces: readonly Uint8Array[], offset: bigint): number {
    return sharing(() => writevSync(this.#descriptor, vectors(pieces), position(offset)));
  }

  stat(): ShareStat {
    return sharing(() => this.#stats.of(fstatSync(this.#descriptor, { bigint: true })));
  }

  resize(size: bigint): void {
    sharing(() => ftruncateSync(this.#descriptor, position(size)));
  }

  sync(dataOnly: boolean): void {
    sharing(() => (dataOnly ? fdatasyncSync : fsyncSync)(this.#descriptor));
  }

  syncLater(dataOnly: boolean, done: (error?: ReturnType<typeof shareError>) => void): void {
    this.#busy++;
    (dataOnly ? fdatasync : fsync)(this.#descriptor, (error) => {
      this.#busy--;
      this.#closeIfDone();
      done(error ? shareError(error) : undefined);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#isClosed && this.#busy === 0) sharing(() => closeSync(this.#descriptor));
  }
}

/** Less than all of it is a short transfer, which the guest goes on with. */
function vectors(pieces: readonly Uint8Array[]): Uint8Array[] {
  return pieces.slice(0, VECTOR_MAX);
}

/** Vectors and sizes take a number: past 2^53 there is no file. */
function position(offset: bigint): number {
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw shareError({ code: "EFBIG" });
  return Number(offset);
}
