import { describe, expect, it } from "vitest";
import { volumeName, writeErofs } from "../../src/image/erofs.ts";
import { charDevice, directory, type FileEntry, file, ImageError, symlink } from "../../src/image/file-tree.ts";

const BLOCK = 4096;

/** Reads an image back as erofs.rst describes it, written apart from the writer. */
function readErofs(image: Uint8Array): Map<string, { mode: number; nlink: number; content: string }> {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const found = new Map<string, { mode: number; nlink: number; content: string }>();
  const decode = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
  const visit = (nid: number, path: string, parent: number): void => {
    const inode = nid * 32;
    const mode = view.getUint16(inode + 4, true);
    const size = view.getUint32(inode + 8, true);
    const start = view.getUint32(inode + 16, true) * BLOCK;
    expect(view.getUint16(inode, true)).toBe(0);
    expect(start + size).toBeLessThanOrEqual(image.length);
    const isDirectory = (mode & 0o170000) === 0o040000;
    found.set(path, {
      mode,
      nlink: view.getUint16(inode + 6, true),
      content: isDirectory ? "" : decode(image.subarray(start, start + size)),
    });
    if (!isDirectory) return;
    const names: string[] = [];
    for (let block = start; block < start + size; block += BLOCK) {
      const end = Math.min(block + BLOCK, start + size);
      const count = view.getUint16(block + 8, true) / 12;
      for (let i = 0; i < count; i++) {
        const nameEnd = i + 1 < count ? block + view.getUint16(block + (i + 1) * 12 + 8, true) : end;
        const name = decode(image.subarray(block + view.getUint16(block + i * 12 + 8, true), nameEnd)).split("\0")[0];
        const child = Number(view.getBigUint64(block + i * 12, true));
        names.push(name);
        if (name === ".") expect(child).toBe(nid);
        else if (name === "..") expect(child).toBe(parent);
        else visit(child, path === "" ? name : `${path}/${name}`, nid);
      }
    }
    // The kernel searches them by halves, so they must be in order.
    expect(names).toEqual([...names].sort());
  };
  visit(view.getUint16(1024 + 14, true), "", view.getUint16(1024 + 14, true));
  return found;
}

describe("erofs", () => {
  it("holds files, links and directories", () => {
    const image = writeErofs([file("usr/bin/a", "program", 0o755), symlink("usr/b", "bin/a"), file("z", "")], "label");
    expect(readErofs(image)).toEqual(
      new Map([
        ["", { mode: 0o040755, nlink: 3, content: "" }],
        ["usr", { mode: 0o040755, nlink: 3, content: "" }],
        ["usr/b", { mode: 0o120777, nlink: 1, content: "bin/a" }],
        ["usr/bin", { mode: 0o040755, nlink: 2, content: "" }],
        ["usr/bin/a", { mode: 0o100755, nlink: 1, content: "program" }],
        ["z", { mode: 0o100644, nlink: 1, content: "" }],
      ]),
    );
  });

  it("holds directories of many blocks, in order", () => {
    const many: FileEntry[] = Array.from({ length: 1000 }, (_, i) =>
      file(`d/${(i * 7919) % 1000}-${"n".repeat(i % 50)}`, `${i}`),
    );
    const found = readErofs(writeErofs(many, "many"));
    expect(found.size).toBe(1002);
    for (const entry of many) {
      if (entry.kind === "file") expect(found.get(entry.path)?.content).toBe(new TextDecoder().decode(entry.data));
    }
  });

  it("holds files larger than a block", () => {
    const data = Uint8Array.from({ length: 3 * BLOCK + 5 }, (_, i) => i % 251);
    const found = readErofs(writeErofs([file("big", data), file("next", "after")], "x"));
    expect(found.get("big")?.content).toBe(String.fromCharCode(...data));
    expect(found.get("next")?.content).toBe("after");
  });

  it("is whole blocks with a superblock that names it", () => {
    const image = writeErofs([file("a", "x")], "paravane-tools");
    const view = new DataView(image.buffer);
    expect(image.length % BLOCK).toBe(0);
    expect(view.getUint32(1024, true)).toBe(0xe0f5e1e2);
    expect(view.getUint32(1024 + 36, true)).toBe(image.length / BLOCK);
    expect(volumeName(image)).toBe("paravane-tools");
    expect(volumeName(new Uint8Array(8192))).toBeUndefined();
    expect(volumeName(new Uint8Array(10))).toBeUndefined();
    expect(writeErofs([file("a", "x")], "paravane-tools")).toEqual(image);
  });

  it("refuses what it cannot hold", () => {
    expect(() => writeErofs([charDevice("dev/null", 1, 3)], "x")).toThrow(ImageError);
    expect(() => writeErofs([], "a label of 17 chr")).toThrow("longer than 16 bytes");
    expect(() => writeErofs([file("a", ""), file("a/b", "")], "x")).toThrow(ImageError);
    expect(() => writeErofs([file("a", ""), file("a", "")], "x")).toThrow("twice");
    expect(() => writeErofs([directory(`d/${"n".repeat(256)}`)], "x")).toThrow("255 bytes");
  });
});
