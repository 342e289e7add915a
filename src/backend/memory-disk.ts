// A disk whose contents are bytes in the host's memory. The caller's array is used as it
// is: what the guest writes appears in it.
import { DiskError, Errno, OptionError } from "../errors.ts";
import { type DiskBackend, SECTOR, wholeSectors } from "./disk.ts";

export interface MemoryDiskOptions {
  readOnly?: boolean;
  name?: string;
}

/**
 * A disk over `bytes`; a number makes an empty disk of that many bytes. A last piece shorter than a sector is not part
 * of the disk. A disk that is resized goes on in memory of its own: `bytes` are then no longer it.
 */
export function memoryDisk(bytes: Uint8Array | number, options: MemoryDiskOptions = {}): DiskBackend {
  let data = typeof bytes === "number" ? new Uint8Array(bytes) : bytes;
  const name = options.name ?? "memory disk";
  const readOnly = options.readOnly ?? false;
  let size = wholeSectors(data.length);
  if (size === 0) throw new OptionError(`${name} holds less than one sector of ${SECTOR} bytes: give it more`);

  const checkWritable = () => {
    if (readOnly) throw new DiskError(`${name} is read-only`, Errno.READ_ONLY);
  };

  return {
    name,
    get size() {
      return size;
    },
    readOnly,
    read(offset, into) {
      into.set(data.subarray(offset, offset + into.length));
    },
    write(offset, from) {
      checkWritable();
      data.set(from, offset);
    },
    discard(offset, length) {
      checkWritable();
      data.fill(0, offset, offset + length);
    },
    flush() {},
    resize(length) {
      let resized: Uint8Array;
      try {
        resized = new Uint8Array(length);
      } catch (cause) {
        throw new OptionError(`${name} cannot grow to ${length} bytes: the host has no memory for it`, { cause });
      }
      resized.set(data.subarray(0, Math.min(size, length)));
      data = resized;
      size = length;
    },
    close() {},
  };
}
