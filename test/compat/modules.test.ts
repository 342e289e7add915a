// Initramfs and modules in them, whole and hostile.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { EntrySource, followLinks } from "../../src/compat/file-source.ts";
import { aliasMatches, modalias, parseHardwareId } from "../../src/compat/hardware-id.ts";
import { readInitramfs, unpackGzip } from "../../src/compat/initramfs.ts";
import { readModules } from "../../src/compat/kernel-modules.ts";
import { archiveEnd, concatenateArchives, writeCpio } from "../../src/image/cpio.ts";
import { type FileEntry, file, symlink } from "../../src/image/file-tree.ts";
import { unpack } from "../../src/platform/node/compat/unpack.ts";
import { kernelModule } from "../guest/elf-files.ts";

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const FOLDER = "lib/modules/6.1";

function source(entries: FileEntry[]): EntrySource {
  return new EntrySource("the initramfs", entries);
}

const interest = (...texts: string[]) => ({ ids: texts.map(parseHardwareId), names: ["p9"] });
const modulesIn = async (entries: FileEntry[], ...ids: string[]) =>
  (await readModules(source(entries), "6.1", unpack, interest(...ids))).modules;

describe("links", () => {
  it("are followed inside, and a loop leads nowhere", () => {
    const links: Record<string, string> = { lib: "usr/lib", "usr/lib/a": "../b", x: "/y", y: "x", up: "../../../etc" };
    const follow = (path: string) => followLinks(path, (at) => links[at]);
    expect(follow("lib/modules")).toBe("usr/lib/modules");
    expect(follow("lib/a/c")).toBe("usr/b/c");
    expect(follow("x")).toBeUndefined();
    expect(follow("up/passwd")).toBe("etc/passwd");
  });

  it("in an archive lead to its files", async () => {
    const from = source([symlink("lib", "usr/lib"), symlink("loop", "loop/loop"), file("usr/lib/f", "x")]);
    expect(text(await from.read("lib/f"))).toBe("x");
    expect(await from.has("lib")).toBe(true);
    expect(await from.list("lib")).toEqual(["f"]);
    expect([await from.read("loop"), await from.has("loop/x"), await from.list("loop")]).toEqual([
      undefined,
      false,
      [],
    ]);
  });
});

describe("an initramfs", () => {
  const first = writeCpio([file("a", "1"), file("b", "2")]);
  const second = writeCpio([file("b", "3")]);

  it.each([
    ["plain", first],
    ["gzip", gzipSync(first)],
  ])("is read where it is %s, and what comes later counts", async (_, archive) => {
    const whole = concatenateArchives(archive, second);
    const files = await readInitramfs(whole, unpack);
    expect(text(await files.read("a"))).toBe("1");
    expect(text(await files.read("b"))).toBe("3");
  });

  it("may have a plain archive in front of a packed one", async () => {
    const files = await readInitramfs(concatenateArchives(second, gzipSync(first)), unpack);
    expect(text(await files.read("b"))).toBe("2");
    expect(archiveEnd(concatenateArchives(second, gzipSync(first)), 0)).toBe(second.length);
  });

  it("that is damaged is an error, with junk behind it is what came before", async () => {
    const cut = gzipSync(first).subarray(0, 40);
    await expect(readInitramfs(cut, unpack)).rejects.toThrow(/truncated|damaged/);
    await expect(readInitramfs(new Uint8Array(64).fill(7), unpack)).rejects.toThrow(/no cpio archive/);
    await expect(readInitramfs(first.subarray(0, first.length - 200), unpack)).rejects.toThrow(/cpio/);
    const junk = concatenateArchives(first, new Uint8Array(16).fill(7));
    expect((await readInitramfs(junk, unpack)).files).toBe(2);
  });

  it("that unpacks to more than a guest's memory is refused", async () => {
    await expect(unpack("gzip", gzipSync(new Uint8Array(1 << 20)), 1 << 16)).rejects.toThrow(/more than 65536 bytes/);
    await expect(unpackGzip("zstd", new Uint8Array(4), 1)).rejects.toThrow(/packed with zstd, .*: pack it with gzip/);
    // Each archive unpacks to what the others left.
    const left: number[] = [];
    const endless = async (_: string, __: Uint8Array, most: number) => {
      left.push(most);
      return { content: new Uint8Array(300), used: 4 };
    };
    const many = new Uint8Array(64).fill(0).map((_, i) => [0x1f, 0x8b, 8, 0][i % 4]);
    await expect(readInitramfs(many, endless, "it", 1000)).rejects.toThrow(/it unpacks to more than 1000 bytes/);
    expect(left).toEqual([1000, 700, 400, 100]);
  });
});

describe("aliases", () => {
  it.each([
    ["virtio:d00000002v*", "virtio:2", true],
    ["virtio:d00000003v*", "virtio:2", false],
    ["pci:v00001AF4d*sv*sd*bc*sc*i*", "pci:1af4:1041", true],
    ["pci:v00008086d0000100Esv*sd*bc*sc*i*", "pci:8086:100e", true],
    ["pci:v*d*sv*sd*bc01sc08i02*", "pci:class:010802", true],
    ["pci:v*d*sv*sd*bc01sc06i01*", "pci:class:010802", false],
    ["pci:v0000144Dd*sv*sd*bc01sc08i02*", "pci:class:010802", false],
    ["of:N*T*Cvirtio,mmio", "virtio,mmio", true],
    ["of:N*T*Cvirtio,mmioC*", "virtio,mmio", false],
    ["of:N*T*Cns16550a", "ns16550", false],
  ])("%s for %s: %j", (pattern, id, fits) => {
    expect(aliasMatches(pattern, modalias(parseHardwareId(id)) as string)).toBe(fits);
  });

  it("may have ranges, and take no time to fail", () => {
    expect(aliasMatches("usb:v[0-9A-F]*d?", "usb:vA00d1")).toBe(true);
    expect(aliasMatches("usb:v[0-9]d", "usb:vAd")).toBe(false);
    expect(aliasMatches("[", "[")).toBe(false);
    expect(aliasMatches(`${"*a".repeat(400)}b`, "a".repeat(1000))).toBe(false);
    expect(aliasMatches("*".repeat(5000), "a")).toBe(false);
  });
});

describe("modules", () => {
  const index = (dep: string, alias: string): FileEntry[] => [
    file(`${FOLDER}/modules.dep`, dep),
    file(`${FOLDER}/modules.alias`, alias),
    file(`${FOLDER}/modules.builtin`, "kernel/drivers/char/virtio-console.ko\n"),
    file(`${FOLDER}/modules.builtin.modinfo`, "ns.alias=of:N*T*Cns16550a\0ns.license=GPL\0"),
    file(`${FOLDER}/modules.order`, "kernel/a.ko\nkernel/gone.ko\n"),
  ];
  const ko = (name: string) => file(`${FOLDER}/kernel/${name}.ko`, "");

  it("can be loaded with what they need", async () => {
    const dep = "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\nkernel/c.ko: kernel/gone.ko\nkernel/gone.ko:\n";
    const alias = "alias virtio:d00000001v* a\nalias virtio:d00000002v* c\n# comment\nalias broken\n";
    const modules = await modulesIn([...index(dep, alias), ko("a"), ko("b"), ko("c")], "virtio:1", "virtio:2");
    expect(modules?.modulesFor(parseHardwareId("virtio:1"))).toEqual(["a"]);
    expect(modules?.loading("a")).toBe("loadable");
    expect(modules?.loading("c")).toEqual({ absent: "gone" });
    expect(modules?.loading("virtio_console")).toBe("builtin");
    expect(modules?.loading("none")).toEqual({ absent: "none" });
    expect(modules?.builtinFor(parseHardwareId("ns16550a"))).toEqual(["ns"]);
    expect(modules?.packaged?.has("gone")).toBe(true);
  });

  it("that need each other come to an end", async () => {
    const modules = await modulesIn(
      [
        ...index("kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n", "alias virtio:d00000001v* a\n"),
        ko("a"),
        ko("b"),
      ],
      "virtio:1",
    );
    expect(modules?.loading("a")).toBe("loadable");
  });

  it("tell for themselves where there is no index, packed or not", async () => {
    const info = { name: "n", depends: "p9", alias: ["virtio:d00000009v*"] };
    const modules = await modulesIn([
      file(`${FOLDER}/kernel/net/n.ko.gz`, gzipSync(kernelModule(info))),
      file(`${FOLDER}/kernel/net/p9.ko`, kernelModule({ name: "p9", depends: "", alias: [] })),
      file(`${FOLDER}/kernel/net/bad.ko`, "no ELF file"),
    ]);
    expect(modules?.modulesFor(parseHardwareId("virtio:9"))).toEqual(["n"]);
    expect(modules?.loading("n")).toBe("loadable");
    expect(modules?.count).toBe(2);
  });

  it("of another kernel are none", async () => {
    const found = await readModules(source([file("usr/lib/modules/6.0/modules.dep", "")]), "6.1", unpack, interest());
    expect(found).toEqual({ otherRelease: "6.0" });
  });
});
