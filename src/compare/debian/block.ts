// Block rows on Debian: fio, past the page cache, on equal disks. The window is cut at the disk
// itself, by the bytes that have moved, so fio's own start and end lie outside it.
import type { Amounts } from "../amounts.ts";
import type { Unit } from "../result.ts";
import type { Amount, Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { DiskDevice } from "./boots.ts";
import type { DebianTask } from "./task.ts";

interface Job {
  workload: string;
  unit: Unit;
  operation: string;
  pattern: "randread" | "read" | "write";
  blockSize: number;
  depth: number;
  amount: Amount;
}

function jobs({ random, deepRandom, sequential }: Amounts): Job[] {
  const small = { unit: "IOPS", operation: "read", pattern: "randread", blockSize: 4096 } as const;
  const large = { unit: "MB/s", blockSize: 128 << 10, depth: 1, amount: sequential } as const;
  return [
    { ...small, workload: "4 KiB random read, depth 1", depth: 1, amount: random },
    { ...small, workload: "4 KiB random read, depth 32", depth: 32, amount: deepRandom },
    { ...large, workload: "128 KiB sequential read", operation: "read", pattern: "read" },
    { ...large, workload: "128 KiB sequential write", operation: "write", pattern: "write" },
  ];
}

/** So many times the operations are done where one takes no exit: else they are lost beside fio's start. */
const IN_MEMORY = 8;

function fio(node: string, job: Job, operations: number): string {
  return [
    `fio --name=compare --filename=/dev/${node} --thread --ioengine=libaio --direct=1`,
    `--rw=${job.pattern} --bs=${job.blockSize} --iodepth=${job.depth}`,
    // One submission fills the queue: requests sent singly would each be done before the next.
    `--iodepth_batch_submit=${job.depth} --iodepth_batch_complete_max=${job.depth}`,
    // By operations, not by time.
    `--io_size=${operations * job.blockSize} --randrepeat=1 --norandommap`,
    "--disk_util=0 --output-format=terse --output=/dev/null",
  ].join(" ");
}

function rated(job: Job, rate: number): number {
  return job.unit === "IOPS" ? rate : (rate * job.blockSize) / 1e6;
}

async function run(boot: DebianBoot, device: DiskDevice, job: Job): Promise<Finding> {
  const { warm, measured } = job.amount;
  const node = await boot.takeDisk(device);
  // Past the window there is one more queue's worth.
  const work = fio(node, job, warm + measured + job.depth);
  // No disk is to have a scheduler of its own to thank: Linux gives them different ones.
  const command = `echo none >/sys/block/${node}/queue/scheduler && ${work}`;
  const bytes = { warm: warm * job.blockSize, measured: measured * job.blockSize };
  const { usage, count, rate } = await boot.tallyDisk(command, device, bytes);
  return { value: rated(job, rate / job.blockSize), operations: count / job.blockSize, usage };
}

/** Rates in what fio writes with --output-format=terse, version 3, fields counted from 0: KiB/s and IOPS of reads, then of writes. */
const TERSE = { read: [6, 7], write: [47, 48] } as const;

/**
 * Nobody sees the guest read its own memory: what it costs is the difference between a long run and a short one, and
 * how fast it is says fio.
 */
async function runInMemory(boot: DebianBoot, job: Job): Promise<Finding> {
  const { warm, measured } = job.amount;
  const more = measured * IN_MEMORY;
  const terse = "--output=/tmp/terse";
  // The host fills each page when it is first touched: that is behind it.
  await boot.run("dd if=/dev/pmem0 of=/dev/null bs=1M");
  const [short, long] = [warm, warm + more].map((operations) => `${fio("pmem0", job, operations)} ${terse}`);
  const { usage, output } = await boot.difference(short, long, "cat /tmp/terse");
  const [bandwidth, iops] = TERSE[job.pattern === "write" ? "write" : "read"].map((at) =>
    Number(output.split(";")[at]),
  );
  return { value: job.unit === "IOPS" ? iops : (bandwidth * 1024) / 1e6, operations: more, usage };
}

export function tasks(amounts: Amounts): DebianTask[] {
  const disks: (Pick<DebianTask, "form" | "device"> & { disk: DiskDevice })[] = [
    { form: "emulated", device: "nvme", disk: "nvme" },
    { form: "emulated", device: "ahci", disk: "ahci" },
    { form: "paravirt", device: "nvme dbbuf", disk: "nvme-dbbuf" },
    { form: "paravirt", device: "virtio-blk", disk: "virtio" },
  ];
  const rows = jobs(amounts).map((job) => {
    const { workload, unit, operation } = job;
    return { job, row: { function: "block", workload, unit, operation, boot: "sbi" } as const };
  });
  // A disk after the other: the guest has one of them at a time.
  return [
    ...disks.flatMap(({ form, device, disk }) =>
      rows.map(({ job, row }) => ({ ...row, form, device, run: (boot: DebianBoot) => run(boot, disk, job) })),
    ),
    ...rows.map(({ job, row }) => ({
      ...row,
      boot: "links" as const,
      form: "direct" as const,
      device: "virtio-pmem",
      run: (boot: DebianBoot) => runInMemory(boot, job),
    })),
  ];
}
