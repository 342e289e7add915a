// A disk in a file, read and written in place with positioned, synchronous calls: the
// bytes go between the page cache and guest memory without another copy.
//
// A flush is an fsync. Errors of the host's file system reach the guest as I/O errors and
// are reported once for each disk by the caller.
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { DiscardKind, type DiskBackend, SECTOR, wholeSectors } from "../../backend/disk.ts";
import { DiskError, Errno, OptionError } from "../../errors.ts";

const ZEROES = new Uint8Array(1024 * 1024);

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function open(path: string, readOnly: boolean): number {
  try {
    // Without O_NONBLOCK the opening of a fifo waits for its other end.
    return openSync(path, (readOnly ? constants.O_RDONLY : constants.O_RDWR) | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    switch ((cause as NodeJS.ErrnoException).code) {
      case "ENOENT":
        throw new OptionError(
          `disk ${path} does not exist: create it first, for example with \`truncate -s 1G ${path}\``,
          {
            cause,
          },
        );
      case "EACCES":
      case "EPERM":
      case "EROFS":
        throw new OptionError(
          readOnly
            ? `disk ${path} cannot be read: ${explain(cause)}`
            : `disk ${path} cannot be written: allow writing, or attach it with "ro" or "overlay"`,
          { cause },
        );
      case "EISDIR":
        throw new OptionError(`disk ${path} is a directory: name a file or a block device`, { cause });
      default:
        throw new OptionError(`disk ${path} cannot be opened: ${explain(cause)}`, { cause });
    }
  }
}

function toDiskError(name: string, action: string, cause: unknown): DiskError {
  if (cause instanceof DiskError) return cause;
  const errno = (cause as NodeJS.ErrnoException).code === "ENOSPC" ? Errno.NO_SPACE : Errno.IO;
  return new DiskError(`disk ${name} cannot be ${action}: ${explain(cause)}`, errno, { cause });
}

/** Opens the file or block device at `path`. A last piece shorter than a sector is not part of the disk. */
export function fileDisk(path: string, options: { readOnly?: boolean } = {}): DiskBackend {
  const readOnly = options.readOnly ?? false;
  const fd = open(path, readOnly);
  const stat = fstatSync(fd);
  let size = wholeSectors(stat.isBlockDevice() ? blockDeviceSize(fd) : stat.size);
  if (!stat.isFile() && !stat.isBlockDevice()) {
    closeSync(fd);
    throw new OptionError(`disk ${path} is neither a file nor a block device: name one`);
  }
  if (size === 0) {
    closeSync(fd);
    throw new OptionError(
      `disk ${path} holds less than one sector of ${SECTOR} bytes: make it larger, for example with \`truncate -s 1G ${path}\``,
    );
  }

  let closed = false;

  const writeAll = (offset: number, from: Uint8Array): void => {
    for (let done = 0; done < from.length; ) done += writeSync(fd, from, done, from.length - done, offset + done);
  };

  const checkWritable = () => {
    if (readOnly) throw new DiskError(`disk ${path} is read-only`, Errno.READ_ONLY);
  };

  return {
    name: path,
    get size() {
      return size;
    },
    readOnly,

    read(offset, into) {
      try {
        for (let done = 0; done < into.length; ) {
          const count = readSync(fd, into, done, into.length - done, offset + done);
          if (count === 0) throw new DiskError(`disk ${path} has become shorter than its ${size} bytes`, Errno.IO);
          done += count;
        }
      } catch (cause) {
        throw toDiskError(path, "read", cause);
      }
    },

    write(offset, from) {
      checkWritable();
      try {
        writeAll(offset, from);
      } catch (cause) {
        throw toDiskError(path, "written", cause);
      }
    },

    discard(offset, length, kind) {
      checkWritable();
      // Node cannot punch holes, and forgetting is optional.
      if (kind === DiscardKind.DISCARD) return;
      try {
        for (let done = 0; done < length; done += ZEROES.length) {
          writeAll(offset + done, ZEROES.subarray(0, Math.min(ZEROES.length, length - done)));
        }
      } catch (cause) {
        throw toDiskError(path, "written", cause);
      }
    },

    flush() {
      if (readOnly) return;
      try {
        fsyncSync(fd);
      } catch (cause) {
        throw toDiskError(path, "flushed", cause);
      }
    },

    flushLater(done) {
      if (readOnly) return done();
      fsync(fd, (error) => {
        if (!closed) done(error ? toDiskError(path, "flushed", error) : undefined);
      });
    },

    resize(bytes) {
      if (!stat.isFile()) throw new OptionError(`disk ${path} is a block device: its size is the device's`);
      try {
        ftruncateSync(fd, bytes);
      } catch (cause) {
        throw new OptionError(`disk ${path} cannot be resized to ${bytes} bytes: ${explain(cause)}`, { cause });
      }
      size = bytes;
    },

    close() {
      if (closed) return;
      closed = true;
      try {
        if (!readOnly) fsyncSync(fd);
      } catch (cause) {
        throw toDiskError(path, "flushed", cause);
      } finally {
        closeSync(fd);
      }
    },
  };
}

/** A block device reports no size through stat: search for the last byte that can be read. */
function blockDeviceSize(fd: number): number {
  const probe = new Uint8Array(SECTOR);
  const readable = (sector: number): boolean => {
    try {
      return readSync(fd, probe, 0, SECTOR, sector * SECTOR) === SECTOR;
    } catch {
      return false;
    }
  };
  let low = 0;
  let high = 1;
  while (readable(high)) high *= 2;
  // readable(low) holds from the first doubling on; readable(high) does not.
  while (low + 1 < high) {
    const middle = Math.floor((low + high) / 2);
    if (readable(middle)) low = middle;
    else high = middle;
  }
  return readable(low) ? (low + 1) * SECTOR : 0;
}
