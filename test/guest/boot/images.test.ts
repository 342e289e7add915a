// Disk images: read for the check whatever their file system is, and given what they lack, by a guest that mounts them. What was
// added is proved by the boot of the image with the devices that it could not drive before.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unpluggedNet } from "../../../src/backend/unplugged-net.ts";
import { concatenateArchives, readCpio, writeCpio } from "../../../src/image/cpio.ts";
import { rootOverlay } from "../../../src/image/overlay.ts";
import {
  addToImage,
  buildDebianGuest,
  checkGuest,
  type DebianGuest,
  OptionError,
  type Verdict,
} from "../../../src/index.ts";
import { paravane } from "../../cli/cli.ts";
import { writeErofsImage, writeExt4Image, writeModules, writeSquashfsImage, writeSystem } from "./disk-images.ts";
import { watched } from "./watched.ts";

const BOOT = 300_000;
/** What the initrd has of the modules: enough to reach a virtio disk with ext4. */
const FOR_THE_ROOT =
  /\/(virtio_blk|virtio_pci\w*|virtio_mmio|virtio|virtio_ring|ext4|jbd2|mbcache|crc\w+)\.ko$|\/modules[^/]*$/;

const folder = mkdtempSync(join(tmpdir(), "paravane-images-"));
const [tree, store, image] = ["tree", "modules", "disk.img"].map((name) => join(folder, name));
let debian: DebianGuest;
let initrd: Uint8Array;

beforeAll(async () => {
  debian = await buildDebianGuest();
  writeSystem(debian.initrd, tree);
  writeModules(debian.initrd, join(tree, "usr/lib/modules", debian.version), (path) => FOR_THE_ROOT.test(`/${path}`));
  writeModules(debian.initrd, store);
  const kept = [...readCpio(readFileSync(debian.initrd))].filter(
    ({ path }) => !/\.ko$/.test(path) || FOR_THE_ROOT.test(path),
  );
  initrd = concatenateArchives(writeCpio(kept), rootOverlay());
  copyFileSync(debian.kernel, join(tree, `boot/vmlinux-${debian.version}`));
  writeFileSync(join(tree, `boot/initrd.img-${debian.version}`), initrd);
}, BOOT);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hashOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const worksIn = (verdicts: readonly Verdict[], ...ids: string[]) =>
  ids.map((id) => verdicts.find(({ device }) => device === id)?.works);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("add-ons for a disk image", () => {
  const ADDED = ["virtio-net", "virtio-9p"];

  it("are written into a copy, and its devices work in a boot", { timeout: BOOT }, async () => {
    writeExt4Image(tree, image, 160, true);
    const before = hashOf(image);
    expect(worksIn(await checkGuest({ root: image }), ...ADDED)).toEqual([false, false]);
    const output = join(folder, "made.img");
    const made = await addToImage(image, { add: ["virtio-net", "9p", "agent"], modules: store, output });
    expect(made).toMatchObject({ release: debian.version, agent: true });
    // The initrd in /boot has them too: a disk's driver is of use nowhere else.
    expect([...made.addedToInitrd].sort()).toEqual([...made.added].sort());
    expect(made.added).toEqual(expect.arrayContaining(["virtio_net", "net_failover", "9p", "9pnet_virtio", "netfs"]));
    // What is there stays as it is.
    for (const name of ["virtio_pci", "ext4"]) expect(made.added).not.toContain(name);
    expect(hashOf(image)).toBe(before);
    expect(worksIn(await checkGuest({ root: output }), ...ADDED)).toEqual([true, true]);

    const shared = join(folder, "shared");
    mkdirSync(shared);
    writeFileSync(join(shared, "file"), "of the host");
    const { guest, until } = await watched({
      ...{ kernel: debian.kernel, initrd, agent: true, disks: [{ path: output, overlay: true }] },
      shares: [{ path: shared, tag: "there" }],
      nets: [{ backend: unpluggedNet(), model: "virtio" }],
    });
    await until(/the system is up/);
    await guest.agent.ping({ timeout: 60_000 });
    const command = "ls /sys/bus/virtio/drivers/virtio_net; mount -t 9p -o trans=virtio there /mnt && cat /mnt/file";
    const { status, stdout } = await guest.agent.exec("/bin/sh", ["-c", `PATH=/bin; ${command}`], { timeout: 60_000 });
    guest.close();
    expect([status, text(stdout)]).toEqual([0, expect.stringMatching(/^virtio\d+$.*^of the host$/ms)]);
  });

  it("take the place of the image if that is asked for, and of nothing if they fail", { timeout: BOOT }, async () => {
    const small = join(folder, "small.img");
    writeExt4Image(tree, small, 160);
    const full = await paravane("addons", small, "--add", "9p", "--modules", store, "--in-place");
    expect([full.status, full.stdout]).toEqual([0, `${small}\n`]);
    expect(full.stderr).toMatch(/added .*module 9p\b/);
    const before = hashOf(small);
    const output = join(folder, "none.img");
    await expect(addToImage(small, { add: ["virtio-mem"], modules: store, output })).rejects.toThrow(OptionError);
    expect(existsSync(output)).toBe(false);
    expect(hashOf(small)).toBe(before);
  });
});

describe("the check of a root file system", () => {
  it.each([
    ["EROFS, packed with lz4", writeErofsImage],
    ["squashfs, packed with xz", writeSquashfsImage],
  ])("reads %s as it reads the folder", { timeout: BOOT }, async (_, write) => {
    const root = join(folder, "root.img");
    write(tree, root);
    const named = (verdicts: Verdict[], name: string) =>
      verdicts.map((it) => ({ ...it, missing: it.missing?.replaceAll(name, "ROOT") }));
    const ofFolder = named(await checkGuest({ root: tree }), tree);
    expect(named(await checkGuest({ root }), root)).toEqual(ofFolder);
    expect(worksIn(ofFolder as Verdict[], "virtio-blk", "virtio-9p")).toEqual([true, false]);
  });

  it("refuses to write to a file system that cannot be written", async () => {
    const root = join(folder, "root.img");
    await expect(addToImage(root, { add: ["9p"], output: join(folder, "x") })).rejects.toThrow(
      /holds squashfs, which is never written to/,
    );
  });
});
