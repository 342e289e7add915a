// Modules for an initrd that lacks them, out of a kernel's package; and the indexes that modprobe reads.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseHardwareId } from "../../src/compat/hardware-id.ts";
import { readInitramfs } from "../../src/compat/initramfs.ts";
import { readModules } from "../../src/compat/kernel-modules.ts";
import { writeCpio } from "../../src/image/cpio.ts";
import { directory, type FileEntry, file } from "../../src/image/file-tree.ts";
import { writeKmodIndex } from "../../src/image/kmod-index.ts";
import { addToInitrd, OptionError } from "../../src/index.ts";
import { unpack } from "../../src/platform/node/compat/unpack.ts";
import { kernelModule } from "../guest/elf-files.ts";

const RELEASE = "6.1-test";
const FOLDER = `lib/modules/${RELEASE}`;
const scratch = mkdtempSync(join(tmpdir(), "paravane-addons-"));
const store = join(scratch, "package");

const module = (name: string, depends = "", ...alias: string[]) => kernelModule({ name, depends, alias });

beforeAll(() => {
  const files: Record<string, Uint8Array> = {
    "kernel/virtio/virtio_pci.ko": module("virtio_pci", "virtio", "pci:v00001AF4d*sv*sd*bc*sc*i*"),
    "kernel/virtio/virtio.ko": module("virtio"),
    "kernel/virtio/virtio_mmio.ko": module("virtio_mmio", "virtio", "of:N*T*Cvirtio,mmio"),
    "kernel/net/virtio-net.ko.gz": gzipSync(module("virtio_net", "net_failover,virtio", "virtio:d00000001v*")),
    "kernel/net/net_failover.ko": module("net_failover", "failover"),
    "kernel/net/failover.ko": module("failover"),
    "modules.builtin": new TextEncoder().encode("kernel/pci/pci-host-generic.ko\n"),
  };
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(store, path)), { recursive: true });
    writeFileSync(join(store, path), bytes);
  }
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const initrd = (...more: FileEntry[]) =>
  writeCpio([
    file(`${FOLDER}/modules.dep`, "kernel/virtio/virtio.ko:\n"),
    file(`${FOLDER}/modules.alias`, "alias old thing\n"),
    file(`${FOLDER}/kernel/virtio/virtio.ko`, module("virtio")),
    ...more,
  ]);

const interest = { ids: [parseHardwareId("virtio:1"), parseHardwareId("pci:1af4:1041")], names: [] };

describe("addons", () => {
  it("bring a module with all that it needs, and indexes that find it", async () => {
    const before = initrd();
    const { initrd: after, added, release } = await addToInitrd(before, { add: ["virtio-net"], modules: store });
    expect(release).toBe(RELEASE);
    expect([...added].sort()).toEqual(["failover", "net_failover", "virtio_mmio", "virtio_net", "virtio_pci"]);
    // What was there is there still, to the byte.
    expect(Buffer.compare(after.subarray(0, before.length), before)).toBe(0);
    const files = await readInitramfs(after, unpack);
    expect(await files.read(`${FOLDER}/kernel/net/virtio-net.ko`)).toEqual(
      module("virtio_net", "net_failover,virtio", "virtio:d00000001v*"),
    );
    const { modules } = await readModules(files, RELEASE, unpack, interest);
    expect(modules?.modulesFor(interest.ids[0])).toEqual(["virtio_net"]);
    expect(modules?.loading("virtio_net")).toBe("loadable");
    const dep = new TextDecoder().decode(await files.read(`${FOLDER}/modules.dep`));
    expect(dep).toContain(
      "kernel/net/virtio-net.ko: kernel/virtio/virtio.ko kernel/net/net_failover.ko kernel/net/failover.ko\n",
    );
    expect(new TextDecoder().decode(await files.read(`${FOLDER}/modules.alias`))).toMatch(/^alias old thing\n/);
  });

  it("bring nothing where nothing is missing", async () => {
    const { initrd: once } = await addToInitrd(initrd(), { add: ["virtio-net"], modules: store });
    expect(await addToInitrd(once, { add: ["virtio-net"], modules: store })).toEqual({
      initrd: once,
      release: RELEASE,
      added: [],
    });
  });

  it("bring the agent to an initrd that can run it", async () => {
    const shell = [file("bin/sh", "x"), file("bin/busybox", "x"), file("init", "old")];
    const { initrd: after } = await addToInitrd(initrd(...shell), { add: ["agent"] });
    const init = await (await readInitramfs(after, unpack)).read("init");
    expect(new TextDecoder().decode(init)).toMatch(/^#!\/bin\/busybox sh/);
    await expect(addToInitrd(initrd(), { add: ["agent"] })).rejects.toThrow(/has no \/bin\/sh/);
  });

  it.each<[string, Parameters<typeof addToInitrd>[1], RegExp]>([
    ["an unknown name", { add: ["floppy"] }, /"floppy" is nothing that can be added: write virtio-rng, .*, agent$/],
    [
      "a driver that the kernel has not",
      { add: ["9p"], modules: "STORE" },
      /was built without 9pnet_virtio: take a kernel that has/,
    ],
    ["a folder without modules", { add: ["9p"], modules: scratch }, /holds no modules/],
    ["no folder, for a kernel that is none of Debian's", { add: ["9p"] }, /kernel 6.1-test is none of Debian's/],
  ])("refuse %s", async (_, options, message) => {
    const modules = options.modules === "STORE" ? store : options.modules;
    await expect(addToInitrd(initrd(), { ...options, modules })).rejects.toThrow(message);
  });

  it("refuse an initrd without modules, or of several kernels", async () => {
    const bare = writeCpio([file("init", "")]);
    await expect(addToInitrd(bare, { add: ["9p"], modules: store })).rejects.toThrow(OptionError);
    const two = initrd(file("lib/modules/6.2-other/modules.dep", ""));
    await expect(addToInitrd(two, { add: ["9p"], modules: store })).rejects.toThrow(/several kernels/);
  });
});

describe("kmod's indexes", () => {
  it("are what modprobe reads", async () => {
    const root = join(scratch, "root");
    const binary = [directory(FOLDER), file(`${FOLDER}/modules.dep.bin`, writeKmodIndex([]))];
    const { initrd: after } = await addToInitrd(initrd(...binary), { add: ["virtio-net"], modules: store });
    const files = await readInitramfs(after, unpack);
    const modules = ["net/virtio-net", "net/net_failover", "net/failover", "virtio/virtio"].map(
      (it) => `kernel/${it}.ko`,
    );
    for (const name of ["modules.dep.bin", "modules.alias.bin", ...modules]) {
      const place = join(root, FOLDER, name);
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, (await files.read(`${FOLDER}/${name}`)) as Uint8Array);
    }
    const modprobe = (...args: string[]) => {
      const { stdout, stderr } = spawnSync("modprobe", ["-d", root, "-S", RELEASE, ...args], { encoding: "utf8" });
      return (stdout + stderr).replaceAll(`${root}/`, "").trim().split(/\s*\n/);
    };
    expect(modprobe("-R", "virtio:d00000001v00001AF4")).toEqual(["virtio_net"]);
    expect(modprobe("-R", "pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00")).toEqual(["virtio_pci"]);
    expect(modprobe("-R", "old")).toEqual(["thing"]);
    expect(modprobe("--show-depends", "virtio_net")).toEqual(
      ["net/failover", "net/net_failover", "virtio/virtio", "net/virtio-net"].map(
        (it) => `insmod ${FOLDER}/kernel/${it}.ko`,
      ),
    );
  });

  it("hold keys that begin alike", () => {
    const index = writeKmodIndex([
      { key: "virtio_net", value: "1" },
      { key: "virtio", value: "2" },
      { key: "virtio_blk", value: "3" },
      { key: "x", value: "4" },
      { key: "virtio", value: "5" },
    ]);
    const view = new DataView(index.buffer);
    expect([view.getUint32(0), view.getUint32(4)]).toEqual([0xb007f457, 0x20001]);
    const read = (reached: number, prefix: string): [string, string][] => {
      let at = reached & 0x0fff_ffff;
      const text = () => {
        const end = index.indexOf(0, at);
        const string = new TextDecoder().decode(index.subarray(at, end));
        at = end + 1;
        return string;
      };
      let key = prefix;
      if (reached & 0x8000_0000) key += text();
      const below: [string, string][] = [];
      if (reached & 0x2000_0000) {
        const [first, last] = [index[at], index[at + 1]];
        at += 2;
        for (let character = first; character <= last; character++, at += 4) {
          const child = view.getUint32(at);
          if (child !== 0) below.push(...read(child, key + String.fromCharCode(character)));
        }
      }
      const own: [string, string][] = [];
      if (reached & 0x4000_0000) {
        const count = view.getUint32(at);
        at += 4;
        for (let i = 0; i < count; i++) {
          at += 4;
          own.push([key, text()]);
        }
      }
      return [...own, ...below];
    };
    expect(read(view.getUint32(8), "")).toEqual([
      ["virtio", "2"],
      ["virtio", "5"],
      ["virtio_blk", "3"],
      ["virtio_net", "1"],
      ["x", "4"],
    ]);
  });
});
