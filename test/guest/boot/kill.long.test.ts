// kill -9 of the host's process at moments that chance picks, while a guest writes to every kind of
// disk and flushes: each write that the guest knew to be flushed is in its file, and no block of
// fio's, which writes elsewhere on the same disks meanwhile, is torn.
import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { collect, start } from "../../cli/cli.ts";
import { DiskFolder, isFioBlock, MIB } from "./file-disks.ts";

const ROUNDS = 8;
const DISKS = [
  { form: "virtio", setting: "if=virtio", size: 8 * MIB },
  { form: "nvme", setting: "if=nvme", size: 9 * MIB },
  { form: "nvme-dbbuf", setting: "if=nvme,dbbuf=on", size: 10 * MIB },
  { form: "ahci", setting: "if=ahci", size: 11 * MIB },
] as const;
/** fio has each disk from here on. */
const FIO_FROM = 4 * MIB;
const BLOCK = 4096;

const folder = new DiskFolder();
afterAll(() => folder.remove());

/** Finds the disks by their sizes, starts fio on each, then writes numbers in turn and says each when all have flushed it. */
const FIO = [
  `fio --name=$disk --filename=/dev/$disk --offset=${FIO_FROM} --size=4M --rw=randwrite --bs=4k --direct=1`,
  "--ioengine=libaio --iodepth=8 --fsync=16 --time_based --runtime=600 --do_verify=0 --verify=crc32c",
  "--verify_state_save=0 --output=/dev/null",
].join(" ");
const COMMAND = [
  "disks=",
  `for sectors in ${DISKS.map(({ size }) => size / 512).join(" ")}; do for at in /sys/class/block/*; do`,
  '[ "$(cat $at/size)" = $sectors ] && disks="$disks $(basename $at)"',
  "done; done",
  `for disk in $disks; do ${FIO} & done`,
  // The numbers begin when fio has written to each.
  "for disk in $disks; do until read -r a b c d writes rest </sys/block/$disk/stat && [ $writes -gt 0 ]; do sleep 0.1; done; done",
  "i=0",
  "while :; do i=$((i + 1)); for disk in $disks; do",
  "printf %512s $i | dd of=/dev/$disk bs=512 seek=$i conv=fsync 2>/dev/null || exit",
  "done; echo $i; done",
].join("\n");

it.each(Array.from({ length: ROUNDS }, (_, round) => round))("loses no flushed write, round %i", async (round) => {
  const files = DISKS.map(({ form, size }) => folder.create(`${form}-${round}.img`, size));
  const before = files.map((file) => readFileSync(file));
  const disks = DISKS.flatMap(({ setting }, i) => ["--disk", `${files[i]},${setting}`]);
  const child = start(["run", "--quiet", "--tools", ...disks, "--exec", COMMAND]);
  const ended = collect(child);
  // A moment after so many numbers: not at their rhythm.
  const enough = 5 + Math.floor(Math.random() * 60);
  let said = "";
  let armed = false;
  child.stdout.on("data", (chunk) => {
    said += chunk;
    if (armed || said.split("\n").length <= enough) return;
    armed = true;
    setTimeout(() => child.kill("SIGKILL"), Math.random() * 200);
  });
  const { status, stdout, stderr } = await ended;
  expect({ status, stderr }).toEqual({ status: null, stderr: "" });
  const flushed = stdout.split("\n").slice(0, -1).map(Number);
  expect(flushed.length).toBeGreaterThanOrEqual(enough);
  files.forEach((file, i) => {
    const bytes = readFileSync(file);
    const found = flushed.map((n) => Number(bytes.toString("latin1", n * 512, (n + 1) * 512)));
    expect(found, DISKS[i].form).toEqual(flushed);
    let written = 0;
    for (let at = FIO_FROM; at < FIO_FROM + 4 * MIB; at += BLOCK) {
      const untouched = bytes.compare(before[i], at, at + BLOCK, at, at + BLOCK) === 0;
      if (!untouched) written++;
      expect(untouched || isFioBlock(bytes, at), `${DISKS[i].form}, block at ${at}`).toBe(true);
    }
    expect(written, DISKS[i].form).toBeGreaterThan(0);
  });
});
