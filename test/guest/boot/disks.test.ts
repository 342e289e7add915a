// Disks in files, behind every device: what the guest flushed is in the file; an overlay and a read-only
// disk leave theirs alone; a file that vanishes is an I/O error in the guest and one line here.
import { readFileSync, truncateSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, type Guest } from "../../../src/index.ts";
import { collect, start } from "../../cli/cli.ts";
import { DiskFolder, deviceOf, expectFio, expectFioBlocks, fioWrites, MIB, run } from "./file-disks.ts";

const BOOT = 300_000;

/** Every disk has a size of its own, by which it is found. */
const KINDS = [
  { device: "virtio", size: 4 * MIB, overlay: 7 * MIB, ro: 10 * MIB, vanishing: 13 * MIB },
  { device: "nvme", size: 5 * MIB, overlay: 8 * MIB, ro: 11 * MIB, vanishing: 14 * MIB },
  { device: "ahci", size: 6 * MIB, overlay: 9 * MIB, ro: 12 * MIB, vanishing: 15 * MIB },
] as const;

const inMemory = (device: string) => (device === "nvme" ? { doorbellBuffer: true } : {});

const folder = new DiskFolder();
const notices: string[] = [];
let guest: Guest;

beforeAll(async () => {
  const disks = KINDS.flatMap(({ device, size, overlay, ro, vanishing }) => [
    { if: device, path: folder.create(`${device}.img`, size) },
    // Two of the four NVMe controllers have doorbells in memory.
    { if: device, path: folder.create(`${device}-overlay.img`, overlay), overlay: true, ...inMemory(device) },
    { if: device, path: folder.create(`${device}-ro.img`, ro), readOnly: true },
    { if: device, path: folder.create(`${device}-vanishing.img`, vanishing), ...inMemory(device) },
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
    // An ATA drive cannot say so: it fails writes.
    const says = device === "ahci" ? "0\n" : "1\n";
    expect(await run(guest, `blockdev --getro ${name}`)).toEqual({ status: 0, output: says });
    const { status, output } = await run(guest, `head -c 4096 /dev/zero | dd of=${name} bs=4096 conv=fsync`);
    expect(status).not.toBe(0);
    expect(output).toMatch(/not permitted|Read-only|I\/O error|Input\/output error|No data available/);
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

describe("AHCI drives", () => {
  it("are as their driver expects, and module and drives come back", { timeout: 120_000 }, async () => {
    const name = (await deviceOf(guest, KINDS[2].overlay)).slice("/dev/".length);
    const about = ["device/queue_depth", "queue/rotational", "queue/write_cache", "queue/logical_block_size"];
    const { output } = await run(guest, `cd /sys/block/${name} && cat device/model ${about.join(" ")}`);
    expect(output.split("\n").map((line) => line.trim())).toEqual([
      "Paravane SATA",
      "32",
      "0",
      "write back",
      "512",
      "",
    ]);
    expect((await run(guest, `blkdiscard /dev/${name}`)).status).toBe(0);
    // The modules below may be others' too: that ahci itself has gone is what counts.
    await run(guest, "modprobe -r ahci 2>/dev/null; ! grep -q ^ahci /proc/modules && modprobe ahci");
    const again = await deviceOf(guest, KINDS[2].size);
    expect((await run(guest, `dd if=${again} of=/dev/null bs=64k`)).status).toBe(0);
  });

  it("make no driver complain but of the errors they had", async () => {
    const { output } = await run(guest, "dmesg -r");
    const complaints = output
      .split("\n")
      .filter((line) => /^<[0-4]>/.test(line) && /\b(ahci|ata\d|scsi|sd) /.test(line))
      .filter((line) => !/I\/O error|exception Emask|irq_stat|failed command|cmd |res |status:|error:/.test(line));
    expect(complaints.filter((line) => !/Sense|tag#|revalidation|NCQ disabled|limiting/.test(line))).toEqual([]);
  });
});

describe.each(["SIGINT", "SIGKILL"] as const)("%s", (signal) => {
  it("loses nothing that the guest has flushed", { timeout: BOOT }, async () => {
    const devices = ["virtio", "nvme", "ahci"];
    const files = devices.map((device) => folder.create(`${device}-signal.img`, MIB));
    // Blocks in turn on all disks; a number is said when its fsync has ended.
    const command =
      "i=0; while :; do i=$((i + 1)); for disk in vda nvme0n1 sda; do " +
      "printf %512s $i | dd of=/dev/$disk bs=512 seek=$i conv=fsync 2>/dev/null || exit; done; echo $i; done";
    const disks = files.flatMap((file, i) => ["--disk", `${file},if=${devices[i]}`]);
    const child = start(["run", "--quiet", ...disks, "--exec", command]);
    const ended = collect(child);
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
      if (said.split("\n").length > 25) child.kill(signal);
    });
    const { status, stdout, stderr } = await ended;
    expect({ status, stderr }).toEqual({ status: signal === "SIGINT" ? 130 : null, stderr: "" });
    const flushed = stdout.split("\n").slice(0, -1).map(Number);
    expect(flushed.length).toBeGreaterThanOrEqual(25);
    for (const file of files) {
      const bytes = readFileSync(file);
      const found = flushed.map((i) => Number(bytes.toString("latin1", i * 512, (i + 1) * 512)));
      expect(found).toEqual(flushed);
    }
  });
});
