// Block rows on Debian: fio, past the page cache, on two equal disks. The window is cut at the
// disk itself, by the bytes that have moved, so fio's own start and end lie outside it.
import type { Amounts } from "./amounts.ts";
import type { DebianBoot, DiskDevice } from "./debian-boot.ts";
import type { DebianTask } from "./debian-task.ts";
import type { Unit } from "./result.ts";
import type { Amount, Finding } from "./work.ts";

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

const NODES: Record<DiskDevice, string> = { nvme: "nvme0n1", virtio: "vda" };

async function run(boot: DebianBoot, device: DiskDevice, job: Job): Promise<Finding> {
  const { warm, measured } = job.amount;
  const node = NODES[device];
  const options = [
    `--name=compare --filename=/dev/${node} --thread --ioengine=libaio --direct=1`,
    `--rw=${job.pattern} --bs=${job.blockSize} --iodepth=${job.depth}`,
    // One submission fills the queue: requests sent singly would each be done before the next.
    `--iodepth_batch_submit=${job.depth} --iodepth_batch_complete_max=${job.depth}`,
    // By operations, not by time; past the window there is one more queue's worth.
    `--io_size=${(warm + measured + job.depth) * job.blockSize} --randrepeat=1 --norandommap`,
    "--disk_util=0 --output-format=terse --output=/dev/null",
  ].join(" ");
  // Neither disk is to have a scheduler of its own to thank: Linux gives them different ones.
  const command = `echo none >/sys/block/${node}/queue/scheduler && fio ${options}`;
  const bytes = { warm: warm * job.blockSize, measured: measured * job.blockSize };
  const { usage, count, rate } = await boot.tallyDisk(command, device, bytes);
  return { value: job.unit === "IOPS" ? rate / job.blockSize : rate / 1e6, operations: count / job.blockSize, usage };
}

export function tasks(amounts: Amounts): DebianTask[] {
  return jobs(amounts).flatMap((job) => {
    const { workload, unit, operation } = job;
    const row = { function: "block", workload, unit, operation, boot: "sbi" } as const;
    return [
      { ...row, form: "emulated", device: "nvme", run: (boot) => run(boot, "nvme", job) },
      { ...row, form: "paravirt", device: "virtio-blk", run: (boot) => run(boot, "virtio", job) },
    ] satisfies DebianTask[];
  });
}
