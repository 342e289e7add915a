// fio --verify=crc32c over 64 MiB on every disk: written and checked by one guest, checked here in
// the files, checked again by a second guest that has the files read-only, and then overwritten
// through overlays, which leaves the files as they are. Then 10 GiB through each: a disk of 1 GiB is
// written over and over, and what is read back is checked each time.
import { truncateSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { createGuest, type DiskInterface } from "../../../src/index.ts";
import { DiskFolder, deviceOf, expectFio, expectFioBlocks, fioReads, fioWrites, MIB, run } from "./file-disks.ts";

const KINDS = [
  { device: "virtio", size: 64 * MIB },
  { device: "nvme", size: 65 * MIB },
  { device: "ahci", size: 66 * MIB },
] as const;

const GIB = 1024 * MIB;
const MUCH = 10 * GIB;
const FORMS: { form: string; disk: { if: DiskInterface; doorbellBuffer?: boolean } }[] = [
  { form: "virtio", disk: { if: "virtio" } },
  { form: "nvme", disk: { if: "nvme" } },
  { form: "nvme, dbbuf=on", disk: { if: "nvme", doorbellBuffer: true } },
  { form: "ahci", disk: { if: "ahci" } },
];

const folder = new DiskFolder();
afterAll(() => folder.remove());

/** `use` on a guest with both files attached; then the guest is switched off. */
async function withDisks(
  attach: { readOnly?: boolean; overlay?: boolean },
  use: (guest: Awaited<ReturnType<typeof createGuest>>) => Promise<void>,
): Promise<void> {
  const notices: string[] = [];
  const guest = await createGuest({
    guest: "debian",
    exec: true,
    tools: true,
    disks: KINDS.map(({ device }) => ({ path: folder.path(`${device}.img`), if: device, ...attach })),
    onNotice: (line) => notices.push(line),
  });
  try {
    await use(guest);
    const { output } = await run(guest, "dmesg");
    const complaints = output.split("\n").filter((line) => /I\/O error|timeout|WARNING|BUG:|reset/i.test(line));
    // ATA has no word for a disk that cannot be written: Linux finds out by the write that fails.
    const refused = complaints.filter(
      (line) => attach.readOnly && /dev sda, .*\(WRITE\)|dev sda, .*lost async page write/.test(line),
    );
    expect(complaints).toEqual(refused);
    expect(refused.length > 0).toBe(attach.readOnly ?? false);
    expect(notices).toEqual([]);
    expect(await guest.powerOff()).toEqual({ reason: "power-off", status: 0 });
  } finally {
    guest.close();
  }
}

describe("fio --verify=crc32c", () => {
  it("writes and verifies, and the bytes are in the files", async () => {
    for (const { device, size } of KINDS) folder.create(`${device}.img`, size);
    await withDisks({}, async (guest) => {
      for (const { device, size } of KINDS) {
        const name = await deviceOf(guest, size);
        await expectFio(guest, fioWrites(name));
        expectFioBlocks(folder.read(`${device}.img`));
        // Over what is there: larger blocks of mixed lengths, synced every 32.
        await expectFio(guest, fioWrites(name, "--bsrange=4k-128k --verify_interval=4k --fsync=32 --randseed=7"));
        expectFioBlocks(folder.read(`${device}.img`));
      }
    });
    for (const { device } of KINDS) expectFioBlocks(folder.read(`${device}.img`));
  });

  it("finds the same in a second guest, read-only", async () => {
    const before = KINDS.map(({ device }) => folder.digest(`${device}.img`));
    await withDisks({ readOnly: true }, async (guest) => {
      for (const { size } of KINDS) {
        const name = await deviceOf(guest, size);
        await expectFio(guest, fioReads(name));
        const { status } = await run(guest, `dd if=/dev/zero of=${name} bs=4096 count=1 conv=fsync`);
        expect(status).not.toBe(0);
      }
    });
    expect(KINDS.map(({ device }) => folder.digest(`${device}.img`))).toEqual(before);
  });

  it("passes on overlays, whose files stay as they are", async () => {
    const before = KINDS.map(({ device }) => folder.digest(`${device}.img`));
    await withDisks({ overlay: true }, async (guest) => {
      for (const { size } of KINDS) {
        const name = await deviceOf(guest, size);
        await expectFio(guest, fioReads(name));
        await expectFio(guest, fioWrites(name, "--randseed=11"));
      }
    });
    expect(KINDS.map(({ device }) => folder.digest(`${device}.img`))).toEqual(before);
  });
});

describe.each(FORMS)("10 GiB through $form", ({ disk }) => {
  it("loses nothing", async () => {
    truncateSync(folder.create("much.img", 0), GIB);
    const guest = await createGuest({
      guest: "debian",
      exec: true,
      tools: true,
      disks: [{ path: folder.path("much.img"), ...disk }],
    });
    try {
      const name = await deviceOf(guest, GIB);
      // Blocks of mixed lengths in another order each time; a header and a checksum every 4 KiB tell place and contents.
      const job =
        `fio --name=much --filename=${name} --rw=randwrite --bsrange=4k-256k --verify_interval=4k --direct=1 --ioengine=libaio ` +
        "--iodepth=16 --fsync=512 --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0";
      for (let round = 0; round < MUCH / GIB; round++) await expectFio(guest, `${job} --randseed=${round + 1}`);
      expectFioBlocks(folder.read("much.img"));
      const { output } = await run(guest, "dmesg");
      expect(output.split("\n").filter((line) => /I\/O error|timeout|WARNING|BUG:|exception/i.test(line))).toEqual([]);
      expect(await guest.powerOff()).toEqual({ reason: "power-off", status: 0 });
    } finally {
      guest.close();
    }
  });
});
