// A guest's disks: the engine's calls by disk number, answered by backends. Errors of a
// backend become error numbers for the guest and one message a disk for people.
import { type DiscardKind, type DiskBackend, SECTOR } from "../backend/disk.ts";
import { DiskError, Errno, OptionError } from "../errors.ts";
import { closeAll } from "./close-all.ts";

/** What diskFlush answers when the flush is under way. */
const PENDING = 1;

export interface DiskEvents {
  notice(message: string): void;
  /** A flush that was under way has ended. */
  done(backend: number, tag: number, status: number): void;
}

export class Disks {
  readonly #backends: readonly DiskBackend[];
  readonly #events: DiskEvents;
  /** With the virtual clock nothing may end at a moment that the host chooses. */
  readonly #flushAtOnce: boolean;
  readonly #reported = new Set<number>();
  #pending = 0;
  #closed = false;

  constructor(backends: readonly DiskBackend[], flushAtOnce: boolean, events: DiskEvents) {
    this.#backends = backends;
    this.#flushAtOnce = flushAtOnce;
    this.#events = events;
  }

  /** Flushes under way. */
  get pending(): number {
    return this.#pending;
  }

  read(disk: number, offset: number, into: Uint8Array): number {
    return this.#attempt(disk, (backend) => backend.read(offset, into));
  }

  write(disk: number, offset: number, from: Uint8Array): number {
    return this.#attempt(disk, (backend) => backend.write(offset, from));
  }

  discard(disk: number, offset: number, length: number, kind: DiscardKind): number {
    return this.#attempt(disk, (backend) => backend.discard(offset, length, kind));
  }

  flush(disk: number, tag: number): number {
    const backend = this.#backends[disk];
    if (this.#flushAtOnce || backend?.flushLater === undefined) return this.#attempt(disk, (it) => it.flush());
    this.#pending++;
    backend.flushLater((error) => {
      this.#pending--;
      if (!this.#closed) this.#events.done(disk, tag, error ? this.#report(disk, error) : 0);
    });
    return PENDING;
  }

  /** Gives a disk another size. @throws OptionError if it cannot have that. */
  resize(disk: number, bytes: number): void {
    const backend = this.#backends[disk];
    if (!Number.isSafeInteger(bytes) || bytes < SECTOR || bytes % SECTOR !== 0) {
      throw new OptionError(`disk ${backend.name} cannot have ${bytes} bytes: write a multiple of ${SECTOR}`);
    }
    if (backend.resize === undefined || backend.readOnly) {
      const why = backend.readOnly ? "is read-only" : "has a backend without resize()";
      throw new OptionError(`disk ${backend.name} ${why}: its size is fixed`);
    }
    backend.resize(bytes);
  }

  /** Flushes everything and closes. Tries every disk; throws the first error. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeAll(this.#backends);
  }

  #attempt(disk: number, action: (backend: DiskBackend) => void): number {
    const backend = this.#backends[disk];
    if (backend === undefined || this.#closed) return Errno.IO;
    try {
      action(backend);
      return 0;
    } catch (error) {
      return this.#report(disk, error);
    }
  }

  #report(disk: number, error: unknown): number {
    if (!(error instanceof DiskError)) throw error;
    // A guest that writes to a read-only disk is told so by its device; that is no news.
    if (error.errno !== Errno.READ_ONLY && !this.#reported.has(disk)) {
      this.#reported.add(disk);
      this.#events.notice(
        `${error.message}; the guest sees I/O errors from now on: check the disk, then restart the guest`,
      );
    }
    return error.errno;
  }
}
