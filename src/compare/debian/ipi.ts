// Rows of what one hart sends another: an interrupt that wakes a process there, and a fence of its
// address translation.
import type { Amounts } from "../amounts.ts";
import type { Amount, Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { DebianTask } from "./task.ts";

/** A byte to the process on the other hart and one back: two wake-ups. */
async function wakeUps(boot: DebianBoot, amount: Amount): Promise<Finding> {
  const { usage, count, rate } = await boot.work("wake", amount);
  return { value: 1e6 / (2 * rate), operations: 2 * count, usage };
}

/** A page's permissions changed and changed back: the other hart's translations of it must go. */
async function fences(boot: DebianBoot, amount: Amount): Promise<Finding> {
  const { usage, count, rate } = await boot.work("fence", amount);
  return { value: 1e6 / (2 * rate), operations: 2 * count, usage };
}

export function tasks(amounts: Amounts): DebianTask[] {
  const paths = [
    { form: "emulated", device: "CLINT, OpenSBI", boot: "clint" },
    { form: "paravirt", device: "SBI IPI, RFENCE", boot: "harts" },
    { form: "direct", device: "IMSIC", boot: "aia" },
  ] as const;
  const row = { function: "ipi", unit: "us" } as const;
  return [
    ...paths.map((path) => ({
      ...row,
      ...path,
      workload: "waking a process on the other hart",
      operation: "wake-up",
      run: (boot: DebianBoot) => wakeUps(boot, amounts.wakeUps),
    })),
    ...paths.map((path) => ({
      ...row,
      ...path,
      workload: "mprotect of a page that both harts use",
      operation: "mprotect",
      run: (boot: DebianBoot) => fences(boot, amounts.fences),
    })),
  ];
}
