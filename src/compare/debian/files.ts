// Rows of files: a folder of the host, and a file system of the guest's own on a disk of any
// form. Past the page cache: each operation asks the device, or with DAX finds the file in memory.
import type { Amounts } from "../amounts.ts";
import { type Amount, type Finding, SHARED_FILE } from "../work.ts";
import { type DebianBoot, SHARE_TAG } from "./boot.ts";
import type { DebianTask } from "./task.ts";

const BLOCK = 128 << 10;
const MIB = 1 << 20;

type Place = "nvme0n1" | "vda" | "pmem0" | typeof SHARE_TAG;

/** Makes a disk ready for its file system, and how that is mounted: with DAX only where it can be had, or not at all. */
const DISKS = {
  nvme0n1: { ready: "echo none >/sys/block/nvme0n1/queue/scheduler", options: "" },
  vda: { ready: "echo none >/sys/block/vda/queue/scheduler", options: "" },
  // Memory has no queue, and so no scheduler.
  pmem0: { ready: "true", options: "-o dax=always" },
} as const;

/** Mounts what is not mounted yet, and sees to it that the file is there; its path. */
async function fileOn(boot: DebianBoot, place: Place): Promise<string> {
  const folder = `/run/${place}`;
  const setUp =
    place === SHARE_TAG
      ? `mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 ${SHARE_TAG} ${folder}`
      : `${DISKS[place].ready} && mke2fs -b 4096 /dev/${place} >/dev/null &&
        mount -t ext4 ${DISKS[place].options} /dev/${place} ${folder} &&
        dd if=/dev/zero of=${folder}/file bs=1M count=${SHARED_FILE / MIB} conv=fsync`;
  await boot.run(`[ -e ${folder}/file ] || { modprobe -a crc32c_generic ext4 9p; mkdir -p ${folder} && ${setUp}; }`);
  return `${folder}/file`;
}

async function read(boot: DebianBoot, place: Place, amount: Amount): Promise<Finding> {
  const file = await fileOn(boot, place);
  const { usage, count, rate } = await boot.work("read", { ...amount, args: [file, BLOCK, SHARED_FILE] });
  return { value: (rate * BLOCK) / 1e6, operations: count, usage };
}

async function open(boot: DebianBoot, place: Place, amount: Amount): Promise<Finding> {
  const file = await fileOn(boot, place);
  const { usage, count, rate } = await boot.work("open", { ...amount, args: [file] });
  return { value: 1e6 / rate, operations: count, usage };
}

export function tasks({ fileReads, fileOpens }: Amounts): DebianTask[] {
  const paths = [
    { form: "emulated", device: "ext4 on nvme", place: "nvme0n1" },
    { form: "paravirt", device: "ext4 on virtio-blk", place: "vda" },
    { form: "paravirt", device: "virtio-9p", place: SHARE_TAG },
    { form: "direct", device: "ext4 with DAX on virtio-pmem", place: "pmem0" },
  ] as const;
  const row = { function: "files", boot: "links" } as const;
  const reading = { ...row, workload: "128 KiB sequential read", unit: "MB/s", operation: "read" } as const;
  const opening = { ...row, workload: "open, read 4 KiB, close", unit: "us", operation: "file" } as const;
  return [
    ...paths.map(({ form, device, place }) => ({
      ...reading,
      form,
      device,
      run: (boot: DebianBoot) => read(boot, place, fileReads),
    })),
    ...paths.map(({ form, device, place }) => ({
      ...opening,
      form,
      device,
      run: (boot: DebianBoot) => open(boot, place, fileOpens),
    })),
  ];
}
