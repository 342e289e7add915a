// The interrupt controllers' row: a disk that interrupts once a read, all else the same.
import type { Amounts } from "../amounts.ts";
import type { Amount, Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { DebianTask } from "./task.ts";

const BLOCK = 4096;
const DISK = 16 << 20;

async function reads(boot: DebianBoot, amount: Amount): Promise<Finding> {
  const node = await boot.takeDisk("nvme");
  await boot.run(`echo none >/sys/block/${node}/queue/scheduler`);
  const { usage, count, rate } = await boot.work("read", {
    ...amount,
    args: [`/dev/${node}`, BLOCK, DISK],
    onOneHart: true,
  });
  return { value: 1e6 / rate, operations: count, usage };
}

export function tasks({ interrupts }: Amounts): DebianTask[] {
  const row = { function: "interrupts", workload: "4 KiB read from NVMe", unit: "us", operation: "interrupt" } as const;
  return [
    { ...row, form: "emulated", device: "PLIC, INTx", boot: "harts", run: (boot) => reads(boot, interrupts) },
    { ...row, form: "direct", device: "AIA, MSI-X", boot: "aia", run: (boot) => reads(boot, interrupts) },
  ];
}
