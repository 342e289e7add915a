// Every kind of disk against the same expectations, then what is particular to each.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DiscardKind, type DiskBackend } from "../../src/backend/disk.ts";
import { memoryDisk } from "../../src/backend/memory-disk.ts";
import { overlayDisk } from "../../src/backend/overlay-disk.ts";
import { DiskError, Errno, OptionError } from "../../src/errors.ts";
import { fileDisk } from "../../src/platform/node/file-disk.ts";

const SIZE = 300_032; // whole sectors, not whole 64 KiB blocks
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-disks-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bytes that differ from place to place. */
function pattern(length: number, salt = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13 + salt) & 0xff);
}

function read(disk: DiskBackend, offset: number, length: number): Uint8Array {
  const into = new Uint8Array(length);
  disk.read(offset, into);
  return into;
}

let files = 0;
function newFile(bytes: Uint8Array): string {
  const path = join(folder, `disk-${files++}.img`);
  writeFileSync(path, bytes);
  return path;
}

/** expect().toEqual compares large arrays element by element, for seconds. */
function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

function errnoOf(action: () => void): number {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError);
    return (error as DiskError).errno;
  }
  throw new Error("nothing was thrown");
}

const kinds: [string, (contents: Uint8Array) => DiskBackend][] = [
  ["memory", (contents) => memoryDisk(contents)],
  ["file", (contents) => fileDisk(newFile(contents))],
  ["overlay over memory", (contents) => overlayDisk(memoryDisk(contents, { readOnly: true }))],
  ["overlay over a file", (contents) => overlayDisk(fileDisk(newFile(contents), { readOnly: true }))],
];

describe.each(kinds)("a %s disk", (_name, create) => {
  it("reads what it was made of", () => {
    const contents = pattern(SIZE);
    const disk = create(contents.slice());
    expect(disk.size).toBe(SIZE);
    expectSame(read(disk, 0, SIZE), contents);
    expectSame(read(disk, 65_024, 1024), contents.subarray(65_024, 66_048));
    expectSame(read(disk, SIZE - 512, 512), contents.subarray(SIZE - 512));
    disk.close();
  });

  it("takes another size: what is added reads as zeroes, what was cut off is gone", () => {
    // An overlay is written, its base is not: the size of that is nobody's business.
    const contents = pattern(SIZE);
    const disk = create(contents.slice());
    disk.write(196_608, pattern(1024, 9));
    contents.set(pattern(1024, 9), 196_608);
    disk.resize?.(SIZE + 70_144);
    expect(disk.size).toBe(SIZE + 70_144);
    expectSame(read(disk, 0, SIZE), contents);
    expectSame(read(disk, SIZE - 512, 1024).subarray(512), new Uint8Array(512));
    disk.write(SIZE + 69_632, pattern(512, 3));
    expectSame(read(disk, SIZE + 69_632, 512), pattern(512, 3));
    disk.resize?.(197_120);
    expect(disk.size).toBe(197_120);
    expectSame(read(disk, 0, 197_120), contents.subarray(0, 197_120));
    disk.resize?.(SIZE + 70_144);
    expectSame(read(disk, 197_120, SIZE + 70_144 - 197_120), new Uint8Array(SIZE + 70_144 - 197_120));
    disk.close();
  });

  it("reads back writes of any place and length, like an array", () => {
    const model = pattern(SIZE);
    const disk = create(model.slice());
    const writes = [
      [0, 512],
      [SIZE - 512, 512],
      [65_024, 1024],
      [131_072, 65_536],
      [1024, 200_704],
    ];
    writes.forEach(([offset, length], salt) => {
      const bytes = pattern(length, salt + 2);
      disk.write(offset, bytes);
      model.set(bytes, offset);
    });
    expectSame(read(disk, 0, SIZE), model);
    disk.flush();
    expectSame(read(disk, 0, SIZE), model);
    disk.close();
  });

  it("writes zeroes over a range and leaves its surroundings", () => {
    const model = pattern(SIZE);
    const disk = create(model.slice());
    disk.discard(60_416, 80_384, DiscardKind.WRITE_ZEROES);
    model.fill(0, 60_416, 60_416 + 80_384);
    expectSame(read(disk, 0, SIZE), model);
    disk.close();
  });

  it("drops a last piece shorter than a sector", () => {
    const disk = create(pattern(1024 + 100));
    expect(disk.size).toBe(1024);
    disk.close();
  });

  it("refuses to be made of less than a sector", () => {
    expect(() => create(new Uint8Array(511))).toThrow(OptionError);
  });
});

describe("a read-only disk", () => {
  it.each([
    ["memory", () => memoryDisk(new Uint8Array(1024), { readOnly: true })],
    ["file", () => fileDisk(newFile(new Uint8Array(1024)), { readOnly: true })],
  ])("of %s answers writes and discards with EROFS", (_name, create) => {
    const disk = create();
    expect(errnoOf(() => disk.write(0, new Uint8Array(512)))).toBe(Errno.READ_ONLY);
    expect(errnoOf(() => disk.discard(0, 512, DiscardKind.WRITE_ZEROES))).toBe(Errno.READ_ONLY);
    expectSame(read(disk, 0, 1024), new Uint8Array(1024));
    disk.close();
  });
});

describe("a file disk", () => {
  it("has its writes in the file", () => {
    const path = newFile(new Uint8Array(SIZE));
    const disk = fileDisk(path);
    disk.write(4096, pattern(8192));
    expectSame(readFileSync(path).subarray(4096, 12_288), pattern(8192));
    disk.close();
  });

  it("flushes later, and says so once", async () => {
    const disk = fileDisk(newFile(new Uint8Array(SIZE)));
    disk.write(0, pattern(512));
    const error = await new Promise((resolve) => disk.flushLater?.(resolve));
    expect(error).toBeUndefined();
    disk.close();
  });

  it("says what to do about a file that is missing, a folder, or empty", () => {
    expect(() => fileDisk(join(folder, "nowhere.img"))).toThrow(/does not exist: create it/);
    expect(() => fileDisk(folder)).toThrow(/is a directory/);
    expect(() => fileDisk(newFile(new Uint8Array(0)))).toThrow(/make it larger/);
  });

  it("says what to do about a file that may not be written", () => {
    if (process.getuid?.() === 0) {
      // Nothing is forbidden to root but what the kernel itself offers for reading alone.
      expect(() => fileDisk("/sys/kernel/notes")).toThrow(/attach it with "ro" or "overlay"/);
      return;
    }
    const path = newFile(new Uint8Array(1024));
    chmodSync(path, 0o444);
    expect(() => fileDisk(path)).toThrow(/attach it with "ro" or "overlay"/);
    fileDisk(path, { readOnly: true }).close();
  });

  it("answers with an I/O error where the file has become shorter", () => {
    const path = newFile(new Uint8Array(SIZE));
    const disk = fileDisk(path);
    truncateSync(path, 1024);
    expectSame(read(disk, 0, 1024), new Uint8Array(1024));
    expect(errnoOf(() => read(disk, 512, 1024))).toBe(Errno.IO);
    disk.close();
  });

  it("answers with an I/O error where the host refuses to write", () => {
    // A process whose files may not grow past 32 KiB.
    const path = newFile(new Uint8Array(1024));
    const script = `
      import { fileDisk } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
      const disk = fileDisk(process.argv[1]);
      try { disk.write(1048576, new Uint8Array(65536)); } catch (error) { console.log(error.constructor.name, error.errno); }
    `;
    const command = 'trap "" XFSZ; ulimit -f 64; exec "$0" --input-type=module -e "$1" "$2"';
    const out = execFileSync("sh", ["-c", command, process.execPath, script, path], { encoding: "utf8" });
    expect(out).toBe("DiskError -5\n");
  });
});

describe("an overlay", () => {
  it("never writes what is under it", () => {
    const contents = pattern(SIZE);
    const path = newFile(contents);
    const disk = overlayDisk(fileDisk(path, { readOnly: true }));
    disk.write(0, pattern(SIZE, 99));
    disk.flush();
    disk.close();
    expectSame(readFileSync(path), contents);
  });

  it("reads from its base until a block is written", () => {
    const base = new Uint8Array(SIZE);
    const disk = overlayDisk(memoryDisk(base, { readOnly: true }));
    base.fill(5);
    disk.write(512, new Uint8Array(512).fill(9));
    base.fill(6);
    // The first 64 KiB were copied at the write, the others are still the base's.
    expectSame(read(disk, 0, 512), new Uint8Array(512).fill(5));
    expectSame(read(disk, 65_536, 512), new Uint8Array(512).fill(6));
    disk.close();
  });
});
