// The row of random numbers, as a program gets them: from the kernel, which asks the device, and
// from the seed CSR, which the paravirtual boot lets programs read.
import type { Amounts } from "../amounts.ts";
import type { Amount, Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { DebianTask } from "./task.ts";

const KIB = 1024;

/** KiB after KiB. */
async function kibibytes(boot: DebianBoot, name: string, amount: Amount, args: (string | number)[]): Promise<Finding> {
  const { usage, count, rate } = await boot.work(name, { ...amount, args });
  return { value: (rate * KIB) / 1000, operations: count, usage };
}

export function tasks({ hwrng, seed }: Amounts): DebianTask[] {
  const row = { function: "entropy", workload: "random bytes", unit: "kB/s", operation: "KiB", boot: "links" } as const;
  return [
    {
      ...row,
      form: "paravirt",
      device: "virtio-rng (/dev/hwrng)",
      run: (boot) => kibibytes(boot, "read", hwrng, ["/dev/hwrng", KIB, 0]),
    },
    { ...row, form: "direct", device: "Zkr seed CSR", run: (boot) => kibibytes(boot, "seed", seed, []) },
  ];
}
