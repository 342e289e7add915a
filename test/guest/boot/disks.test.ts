// Disks in files, both devices: what the guest flushed is in the file; an overlay and a read-only
// disk leave theirs alone; a file that vanishes is an I/O error in the guest and one line here.
import { readFileSync, truncateSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, type Guest } from "../../../src/index.ts";
import { collect, start } from "../../cli/cli.ts";
import { DiskFolder, deviceOf, expectFio, expectFioBlocks, fioWrites, MIB, run } from "./file-disks.ts";

const BOOT = 300_000;

/** Every disk has a size of its own, by which it is found. */
const KINDS = [
  { device: "virtio", size: 4 * MIB, overlay: 6 * MIB, ro: 8 * MIB, vanishing: 10 * MIB },
  { device: "nvme", size: 5 * MIB, overlay: 7 * MIB, ro: 9 * MIB, vanishing: 11 * MIB },
] as const;

const folder = new DiskFolder();
const notices: string[] = [];
let guest: Guest;

beforeAll(async () => {
  const disks = KINDS.flatMap(({ device, size, overlay, ro, vanishing }) => [
    { if: device, path: folder.create(`${device}.img`, size) },
    { if: device, path: folder.create(`${device}-overlay.img`, overlay), overlay: true },
    { if: device, path: folder.create(`${device}-ro.img`, ro), readOnly: true },
    { if: device, path: folder.create(`${device}-vanishing.img`, vanishing) },
  ]);
  guest = await createGuest({
    guest: "debian",
    exec: true,
    tools: true,
    disks,
    onNotice: (line) => notices.push(line),
  });
  await guest.ready();
}, BOOT);

afterAll(() => {
  guest?.close();
  folder.remove();
});

describe.each(KINDS)("a disk on $device", { timeout: 240_000 }, ({ device, size, overlay, ro, vanishing }) => {
  it("holds what fio wrote and flushed, in the guest and in the file", async () => {
    await expectFio(guest, fioWrites(await deviceOf(guest, size)));
    expectFioBlocks(folder.read(`${device}.img`));
  });

  it("holds what dd wrote, at its place and nowhere else", async () => {
    const before = folder.read(`${device}.img`);
    const name = await deviceOf(guest, size);
    const { status } = await run(guest, `printf %512s pattern | dd of=${name} bs=512 seek=77 conv=fsync`);
    expect(status).toBe(0);
    before.write("pattern".padStart(512), 77 * 512);
    expect(Buffer.compare(folder.read(`${device}.img`), before)).toBe(0);
  });

  it("keeps the writes to an overlay from its file", async () => {
    const before = folder.digest(`${device}-overlay.img`);
    await expectFio(guest, fioWrites(await deviceOf(guest, overlay)));
    expect(folder.digest(`${device}-overlay.img`)).toBe(before);
  });

  it("cannot be written if it is read-only", async () => {
    const before = folder.digest(`${device}-ro.img`);
    const name = await deviceOf(guest, ro);
    expect(await run(guest, `blockdev --getro ${name}`)).toEqual({ status: 0, output: "1\n" });
    const { status, output } = await run(guest, `head -c 4096 /dev/zero | dd of=${name} bs=4096 conv=fsync`);
    expect(status).not.toBe(0);
    expect(output).toMatch(/not permitted|Read-only|I\/O error/);
    expect(folder.digest(`${device}-ro.img`)).toBe(before);
    expect((await run(guest, `cmp -n 4096 ${name} /dev/zero`)).output).toContain("differ");
  });

  it("whose file vanishes gives I/O errors; the guest lives on, and the host says so once", async () => {
    const name = await deviceOf(guest, vanishing);
    const read = (block: number) => `dd if=${name} of=/dev/null bs=4096 skip=${block} count=1 iflag=direct`;
    expect((await run(guest, read(0))).status).toBe(0);
    truncateSync(folder.path(`${device}-vanishing.img`), 0);
    for (const block of [0, 500, 2000]) {
      const { status, output } = await run(guest, read(block));
      expect(status).toBe(1);
      // A read that fails is a medium error to NVMe, which Linux calls ENODATA.
      expect(output).toMatch(/Input\/output error|No data available/);
    }
    const said = notices.filter((line) => line.includes(`${device}-vanishing.img`));
    expect(said).toEqual([
      expect.stringMatching(/has become shorter .*; the guest sees I\/O errors .*: check the disk/),
    ]);
    expect((await run(guest, "echo alive")).output).toBe("alive\n");
  });
});

describe("Ctrl-C", () => {
  it("loses nothing that the guest has flushed", { timeout: BOOT }, async () => {
    const files = ["virtio", "nvme"].map((device) => folder.create(`${device}-signal.img`, MIB));
    // Blocks in turn on both disks; a number is said when its fsync has ended.
    const command =
      "i=0; while :; do i=$((i + 1)); for disk in vda nvme0n1; do " +
      "printf %512s $i | dd of=/dev/$disk bs=512 seek=$i conv=fsync 2>/dev/null || exit; done; echo $i; done";
    const disks = files.flatMap((file, i) => ["--disk", `${file},if=${["virtio", "nvme"][i]}`]);
    const child = start(["run", "--quiet", ...disks, "--exec", command]);
    const ended = collect(child);
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
      if (said.split("\n").length > 25) child.kill("SIGINT");
    });
    const { status, stdout, stderr } = await ended;
    expect({ status, stderr }).toEqual({ status: 130, stderr: "" });
    const flushed = stdout.split("\n").slice(0, -1).map(Number);
    expect(flushed.length).toBeGreaterThanOrEqual(25);
    for (const file of files) {
      const bytes = readFileSync(file);
      const found = flushed.map((i) => Number(bytes.toString("latin1", i * 512, (i + 1) * 512)));
      expect(found).toEqual(flushed);
    }
  });
});
