// Timer row on Debian: cyclictest sleeps for 1 ms again and again and tells how late it woke.
// Costs are the difference between a long and a short run, so its start and end cancel out.
import type { Amounts } from "../amounts.ts";
import type { Amount, Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { BootKind } from "./boots.ts";
import type { DebianTask } from "./task.ts";

/** Latencies from here on (us) are counted together. */
const HISTOGRAM = 4000;

function cyclictest(loops: number): string {
  return `cyclictest -q -m -p 80 -i 1000 -l ${loops} -h ${HISTOGRAM} >/tmp/latencies`;
}

/** Value of a line such as `# Min Latencies: 00075`. */
function extreme(output: string, name: "Min" | "Max"): number {
  const match = new RegExp(`^# ${name} Latencies:\\s*(\\d+)$`, "m").exec(output);
  if (match === null) throw new Error(`cyclictest told no ${name}: ${output.slice(-200)}`);
  return Number(match[1]);
}

/** The latencies in cyclictest's histogram, lines of `us count`; all in us. The median: a busy host's outliers move a mean. */
export function parseLatencies(output: string): { minimum: number; median: number; maximum: number } {
  const buckets = [...output.matchAll(/^(\d+)\s+(\d+)$/gm)].map((match) => match.slice(1).map(Number));
  const counted = buckets.reduce((sum, [, count]) => sum + count, 0);
  const beyond = Number(/^# Histogram Overflows:\s*(\d+)$/m.exec(output)?.[1] ?? 0);
  let left = (counted + beyond) / 2;
  const median = buckets.find(([, count]) => {
    left -= count;
    return left <= 0;
  });
  if (median === undefined)
    throw new Error(`most wake-ups came more than ${HISTOGRAM} us late: this machine is too busy`);
  return { minimum: extreme(output, "Min"), median: median[0], maximum: extreme(output, "Max") };
}

async function wakeUps(boot: DebianBoot, { warm, measured }: Amount): Promise<Finding> {
  const { usage, output } = await boot.difference(cyclictest(warm), cyclictest(warm + measured), "cat /tmp/latencies");
  const { minimum, median, maximum } = parseLatencies(output);
  return { value: median, operations: measured, usage, range: { minimum, maximum } };
}

export function tasks(amounts: Amounts): DebianTask[] {
  const row = { function: "timer", workload: "wake-up latency, 1 ms sleeps", unit: "us", operation: "expiry" } as const;
  const paths: (Pick<DebianTask, "form" | "device"> & { boot: BootKind })[] = [
    { form: "emulated", device: "CLINT, OpenSBI", boot: "firmware" },
    { form: "paravirt", device: "SBI TIME", boot: "sbi" },
    { form: "direct", device: "Sstc", boot: "links" },
  ];
  return paths.map((path) => ({ ...row, ...path, run: (boot) => wakeUps(boot, amounts.expiries) }));
}
