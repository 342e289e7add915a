// Boot disks and the FAT16 volume in them, read back by a reader written apart from the writer.
// That U-Boot boots them is shown in test/guest/boot.
import { describe, expect, it } from "vitest";
import { bootDisk, checkRoomForUBoot } from "../../src/image/boot-disk.ts";
import { writeFat16 } from "../../src/image/fat.ts";
import { directory, file, ImageError, symlink } from "../../src/image/file-tree.ts";
import { BootError } from "../../src/machine/boot-error.ts";

const SECTOR = 512;
const MIB = 1024 * 1024;

interface Found {
  /** Path to contents; directories end in a slash. */
  files: Map<string, Uint8Array>;
  shortNames: string[];
  clusters: number;
  clusterBytes: number;
}

/** Reads a FAT16 volume that fills `volume`, and checks what holds of every volume. */
function readFat(volume: Uint8Array): Found {
  const view = new DataView(volume.buffer, volume.byteOffset, volume.byteLength);
  const u16 = (at: number) => view.getUint16(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  expect(u16(510)).toBe(0xaa55);
  expect(u16(11)).toBe(SECTOR);
  const [sectorsPerCluster, reserved, fats, rootEntries, fatSectors] = [
    volume[13],
    u16(14),
    volume[16],
    u16(17),
    u16(22),
  ];
  const sectors = u16(19) || u32(32);
  expect(sectors * SECTOR).toBe(volume.length);
  const rootAt = (reserved + fats * fatSectors) * SECTOR;
  const dataAt = rootAt + rootEntries * 32;
  const clusterBytes = sectorsPerCluster * SECTOR;
  const clusters = Math.floor((volume.length - dataAt) / clusterBytes);
  // The count of clusters is what makes it FAT16; the table has an entry for each.
  expect(clusters).toBeGreaterThanOrEqual(4085);
  expect(clusters).toBeLessThan(65_525);
  expect(fatSectors * 256).toBeGreaterThanOrEqual(clusters + 2);
  const table = volume.subarray(reserved * SECTOR, (reserved + fatSectors) * SECTOR);
  for (let copy = 1; copy < fats; copy++) {
    const at = (reserved + copy * fatSectors) * SECTOR;
    expect(Buffer.compare(table, volume.subarray(at, at + table.length))).toBe(0);
  }

  const seen = new Set<number>();
  const chain = (first: number): Uint8Array => {
    const pieces: Uint8Array[] = [];
    for (let cluster = first; cluster < 0xfff8; cluster = u16(reserved * SECTOR + cluster * 2)) {
      if (cluster < 2 || cluster >= clusters + 2) throw new Error(`cluster ${cluster} of ${clusters}`);
      if (seen.has(cluster)) throw new Error(`cluster ${cluster} is taken twice`);
      seen.add(cluster);
      const at = dataAt + (cluster - 2) * clusterBytes;
      pieces.push(volume.subarray(at, at + clusterBytes));
    }
    return Buffer.concat(pieces);
  };

  const files = new Map<string, Uint8Array>();
  const shortNames: string[] = [];
  const readDirectory = (bytes: Uint8Array, path: string, self: number, parent: number) => {
    const entries = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let long = "";
    let sum = -1;
    for (let at = 0; at < bytes.length && bytes[at] !== 0; at += 32) {
      const attribute = bytes[at + 11];
      if (attribute === 0x0f) {
        let part = "";
        for (const place of [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30]) {
          const unit = entries.getUint16(at + place, true);
          if (unit === 0) break;
          part += String.fromCharCode(unit);
        }
        if (bytes[at] & 0x40) sum = bytes[at + 13];
        expect(bytes[at + 13]).toBe(sum);
        long = part + long;
        continue;
      }
      if (attribute === 0x08) continue; // the label
      const raw = bytes.subarray(at, at + 11);
      const text = Buffer.from(raw).toString("latin1");
      const first = entries.getUint16(at + 26, true);
      const size = entries.getUint32(at + 28, true);
      if (text.startsWith(".")) {
        expect(attribute).toBe(0x10);
        expect(first).toBe(text.trim() === "." ? self : parent);
        continue;
      }
      const short = [text.slice(0, 8).trim(), text.slice(8).trim()].filter((it) => it !== "").join(".");
      if (long !== "") expect(raw.reduce((all, byte) => (((all & 1) << 7) + (all >> 1) + byte) & 0xff, 0)).toBe(sum);
      const name = path + (long === "" ? short : long);
      shortNames.push(path + short);
      long = "";
      if (attribute & 0x10) {
        files.set(`${name}/`, new Uint8Array());
        readDirectory(chain(first), `${name}/`, first, self);
      } else {
        const content = size === 0 ? new Uint8Array() : chain(first);
        expect(content.length - size).toBeLessThan(clusterBytes);
        files.set(name, content.subarray(0, size));
      }
    }
  };
  readDirectory(volume.subarray(rootAt, dataAt), "", 0, 0);
  return { files, shortNames, clusters, clusterBytes };
}

function bytes(length: number, seed: number): Uint8Array {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = i * seed + (i >> 8);
  return made;
}

const same = (found: Uint8Array | undefined, wanted: Uint8Array) => expect(Buffer.compare(found!, wanted)).toBe(0);

describe("writeFat16", () => {
  it("holds files and directories, under long names and short ones", () => {
    const contents = [
      file("Image", bytes(100_000, 7)),
      file("EFI/BOOT/BOOTRISCV64.EFI", bytes(513, 3)),
      file("a/b/a name of more than thirteen.characters", "text"),
      file("a/empty", ""),
      file("README.TXT", bytes(512, 5)),
      directory("a/void"),
    ];
    const { files } = readFat(writeFat16(contents));
    expect([...files.keys()].sort()).toEqual(
      ["EFI/", "EFI/BOOT/", "a/", "a/b/", "a/void/", ...contents.slice(0, 5).map(({ path }) => path)].sort(),
    );
    for (const entry of contents) {
      if (entry.kind === "file") same(files.get(entry.path), entry.data);
    }
  });

  it("gives names that begin alike short names of their own, in directories of any length", () => {
    const names = Array.from({ length: 300 }, (_, i) => `directory/a long name ${i}.conf`);
    const { files, shortNames } = readFat(
      writeFat16([...names, "directory/ALONGN~1.CON"].map((name) => file(name, name))),
    );
    for (const name of names) expect(Buffer.from(files.get(name)!).toString()).toBe(name);
    expect(new Set(shortNames).size).toBe(shortNames.length);
  });

  it("takes larger clusters for more bytes", () => {
    const small = readFat(writeFat16([file("a", "")]));
    expect(small.clusterBytes).toBe(512);
    const data = bytes(70 * MIB, 13);
    const large = readFat(writeFat16([file("a", data)]));
    expect(large.clusterBytes).toBe(2048);
    same(large.files.get("a"), data);
  });

  it("refuses what FAT cannot hold, by name", () => {
    const refused = (...entries: Parameters<typeof writeFat16>[0][]) =>
      expect(() => writeFat16(entries.flatMap((it) => [...it])));
    refused([symlink("link", "target")]).toThrow(/link is a symlink/);
    refused([file("name", "1"), file("NAME", "2")]).toThrow(/NAME is there already/);
    for (const name of ["a:b", "ends with a dot.", "a\tb", "x".repeat(256)])
      refused([file(name, "")]).toThrow(ImageError);
    refused(Array.from({ length: 600 }, (_, i) => file(`F${i}`, ""))).toThrow(/root directory/);
    // Memory that nobody touches costs nothing.
    refused([file("huge", new Uint8Array(2049 * MIB))]).toThrow(/2 GiB/);
  });
});

describe("bootDisk", () => {
  const kernel = bytes(200_000, 11);
  const initrd = bytes(60_000, 17);
  const partition = (disk: Uint8Array) => {
    const view = new DataView(disk.buffer);
    const [start, count] = [view.getUint32(454, true), view.getUint32(458, true)];
    expect([disk[446], disk[450], view.getUint16(510, true)]).toEqual([0x80, 0x0e, 0xaa55]);
    same(disk.subarray(462, 510), new Uint8Array(48));
    expect((start + count) * SECTOR).toBe(disk.length);
    const volume = disk.subarray(start * SECTOR);
    // Volumes in a partition say where it begins.
    expect(new DataView(volume.buffer, volume.byteOffset).getUint32(28, true)).toBe(start);
    return readFat(volume).files;
  };
  const config = (append: string) =>
    Buffer.from(partition(bootDisk({ kernel, append })).get("extlinux/extlinux.conf")!).toString();

  it("has one active partition with kernel, initrd and what to do with them", () => {
    const files = partition(bootDisk({ kernel, initrd, append: " console=ttyS0 quiet " }));
    same(files.get("Image"), kernel);
    same(files.get("initrd"), initrd);
    expect(Buffer.from(files.get("extlinux/extlinux.conf")!).toString()).toBe(
      "default linux\nlabel linux\n  kernel /Image\n  initrd /initrd\n  append console=ttyS0 quiet\n",
    );
  });

  it("leaves out what there is none of", () => {
    expect(config("")).toBe("default linux\nlabel linux\n  kernel /Image\n");
  });

  it("is the same to the byte for the same input", () => {
    const input = { kernel, initrd, append: "quiet" };
    expect(Buffer.compare(bootDisk(input), bootDisk(input))).toBe(0);
  });

  it("hides from U-Boot what it would replace", () => {
    expect(config("a=$(b) c='d e'")).toContain("append a=\\$(b) c=\\'d e\\'\n");
    expect(config("a\\b\\$c")).toContain("append a\\\\b\\\\$c\n");
  });

  it("refuses command lines that cannot reach the kernel", () => {
    expect(() => config("a\nb")).toThrow(/line break/);
    expect(() => config("x".repeat(1024))).toThrow(/1023 characters/);
  });
});

describe("checkRoomForUBoot", () => {
  const image = (imageSize: number) =>
    ({ kind: "linux", bytes: bytes(MIB, 1), textOffset: 0x20_0000, imageSize }) as const;

  it("names the memory that the initrd's place asks for", () => {
    expect(() => checkRoomForUBoot(image(MIB), new Uint8Array(28 * MIB), 256 * MIB)).toThrow(/raise --memory to 259M/);
    expect(() => checkRoomForUBoot(image(MIB), new Uint8Array(28 * MIB), 259 * MIB)).not.toThrow();
    expect(() => checkRoomForUBoot(image(MIB), undefined, 101 * MIB)).not.toThrow();
    expect(() => checkRoomForUBoot(image(MIB), undefined, 100 * MIB)).toThrow(BootError);
  });

  it("refuses kernels that would reach the initrd", () => {
    expect(() => checkRoomForUBoot(image(200 * MIB), undefined, 1024 * MIB)).toThrow(/takes 200 MiB/);
  });
});
