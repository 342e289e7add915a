import { describe, expect, it } from "vitest";
import { concatenateArchives, readCpio, writeCpio } from "../../src/image/cpio.ts";
import { charDevice, directory, type FileEntry, file, ImageError, symlink } from "../../src/image/file-tree.ts";
import { agentFiles, execOverlay } from "../../src/image/overlay.ts";

const entries: FileEntry[] = [
  directory("dev", 0o755),
  charDevice("dev/console", 5, 1),
  directory("tmp", 0o1777),
  file("tmp/empty", ""),
  file("tmp/five", "12345", 0o600),
  file("bin/tool", new Uint8Array([0, 255, 10, 13]), 0o4755),
  symlink("init", "bin/tool"),
];

const read = (bytes: Uint8Array): FileEntry[] => [...readCpio(bytes)];
const text = (bytes: Uint8Array, at: number, length: number): string =>
  new TextDecoder().decode(bytes.subarray(at, at + length));

describe("cpio", () => {
  it("gives back what was written, with the parents that were left out", () => {
    const withBin = [...entries.slice(0, 5), directory("bin"), ...entries.slice(5)];
    expect(read(writeCpio(entries))).toEqual(withBin);
  });

  it("adds no directory to an overlay", () => {
    const paths = read(writeCpio([file("a/b/c", "x")], { parents: false })).map(({ path }) => path);
    expect(paths).toEqual(["a/b/c"]);
  });

  it("lays the header out as the kernel's buffer format says", () => {
    const bytes = writeCpio([file("/./name", "data", 0o751)]);
    expect(text(bytes, 0, 110)).toBe(
      "070701" + // magic
        "00000001" + // ino
        "000081e9" + // mode: a regular file, 0751
        "00000000" + // uid
        "00000000" + // gid
        "00000001" + // nlink
        "00000000" + // mtime
        "00000004" + // filesize
        "0000000000000000" + // devmajor, devminor
        "0000000000000000" + // rdevmajor, rdevminor
        "00000005" + // namesize, with its NUL
        "00000000", // check
    );
    expect(text(bytes, 110, 5)).toBe("name\0");
    expect(text(bytes, 116, 4)).toBe("data");
    expect(bytes.length % 4).toBe(0);
  });

  it("is the same to the byte each time", () => {
    expect(writeCpio(entries)).toEqual(writeCpio(entries));
  });

  it("reads archives behind each other, padded", () => {
    const first = writeCpio([file("a", "1")]);
    const both = concatenateArchives(first, writeCpio([file("b", "2")]));
    expect(read(both).map(({ path }) => path)).toEqual(["a", "b"]);
    const odd = concatenateArchives(new Uint8Array(5).fill(7), first);
    expect(odd.length).toBe(8 + first.length);
    expect(odd.subarray(0, 8)).toEqual(new Uint8Array([7, 7, 7, 7, 7, 0, 0, 0]));
    expect(odd.subarray(8)).toEqual(first);
  });

  it("refuses paths that leave the image", () => {
    expect(() => writeCpio([file("../etc/passwd", "")])).toThrow(ImageError);
    expect(() => writeCpio([file("a/../../b", "")])).toThrow(ImageError);
    expect(() => writeCpio([file("/", "")])).toThrow(ImageError);
  });

  it("refuses an archive cut anywhere", () => {
    const whole = writeCpio([file("a", "some data"), symlink("l", "a")]);
    const lastHeader = whole.length - 124;
    expect(text(whole, lastHeader, 6)).toBe("070701");
    // Only the padding behind the trailer's name may be missing.
    const shortest = lastHeader + 110 + "TRAILER!!!".length + 1;
    for (let length = 1; length < shortest; length++) {
      expect(() => read(whole.subarray(0, length)), `cut to ${length}`).toThrow(ImageError);
    }
    expect(read(whole.subarray(0, shortest))).toHaveLength(2);
  });

  it("refuses damaged headers, and never reads outside", () => {
    const whole = writeCpio([file("a", "some data")]);
    const damage = (at: number, bytes: string): Uint8Array => {
      const copy = whole.slice();
      copy.set(new TextEncoder().encode(bytes), at);
      return copy;
    };
    expect(() => read(damage(0, "070707"))).toThrow("no newc header");
    expect(() => read(damage(54, "ffffffff"))).toThrow("does not fit");
    expect(() => read(damage(94, "ffffffff"))).toThrow("does not fit");
    expect(() => read(damage(94, "00000000"))).toThrow("does not fit");
    expect(() => read(damage(54, "0000000g"))).toThrow("no hexadecimal digit");
    expect(() => read(damage(14, "0000c1a4"))).toThrow("mode");
    expect(() => read(damage(111, "b"))).toThrow("has no end");
  });
});

describe("the overlay for commands", () => {
  it("replaces /init without touching what it may be linked to", () => {
    const inits = read(execOverlay()).filter(({ path }) => path === "init");
    expect(inits.map(({ kind }) => kind)).toEqual(["symlink", "file"]);
  });

  it("holds nothing but the agent, two devices and the marker", () => {
    const paths = read(execOverlay()).map(({ path }) => path);
    expect(paths).toEqual([...agentFiles().map(({ path }) => path), ".paravane-exec"]);
    expect(new Set(paths)).toEqual(
      new Set(["dev", "dev/console", "dev/null", "init", ".paravane-dhcp", ".paravane-exec"]),
    );
  });
});
