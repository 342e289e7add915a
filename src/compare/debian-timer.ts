// Timer row on Debian: cyclictest sleeps for 1 ms again and again and tells how late it woke.
// Costs are the difference between a long and a short run, so its start and end cancel out.
import type { Amounts } from "./amounts.ts";
import type { DebianTask } from "./debian.ts";
import type { BootKind, DebianBoot } from "./debian-boot.ts";
import { between, beyond } from "./meter.ts";
import type { Amount, Finding } from "./work.ts";

function cyclictest(loops: number): string {
  return `cyclictest -q -N -m -p 80 -i 1000 -l ${loops} 2>&1`;
}

/** The latencies in cyclictest's last line, in ns: `T: 0 (  231) P:80 I:1000 C:    600 Min:  73000 Act: ... Avg: ... Max: ...`. */
export function parseLatencies(output: string): { minimum: number; average: number; maximum: number } {
  const match = /Min:\s*(\d+)\s+Act:\s*\d+\s+Avg:\s*(\d+)\s+Max:\s*(\d+)\s*$/.exec(output);
  if (match === null) throw new Error(`cyclictest's output is not understood: ${output.slice(-200)}`);
  const [minimum, average, maximum] = match.slice(1).map(Number);
  return { minimum, average, maximum };
}

async function wakeUps(boot: DebianBoot, { warm, measured }: Amount): Promise<Finding> {
  const short = `${cyclictest(warm)} >/dev/null`;
  // The first run of all pays for what later ones find loaded.
  const command = `${short} && echo >&3 && ${short} && echo >&3 && ${cyclictest(warm + measured)} && echo >&3`;
  const { marks, output } = await boot.marks(command);
  if (marks.length !== 3) throw new Error(`${marks.length} of 3 marks came`);
  const [first, second, third] = marks;
  const { minimum, average, maximum } = parseLatencies(output);
  return {
    value: average / 1000,
    operations: measured,
    usage: beyond(between(second, third), between(first, second)),
    range: { minimum: minimum / 1000, maximum: maximum / 1000 },
  };
}

export function tasks(amounts: Amounts): DebianTask[] {
  const row = { function: "timer", workload: "wake-up latency, 1 ms sleeps", unit: "us", operation: "expiry" } as const;
  const paths: (Pick<DebianTask, "form" | "device"> & { boot: BootKind })[] = [
    { form: "emulated", device: "CLINT, OpenSBI", boot: "firmware" },
    { form: "paravirt", device: "SBI TIME", boot: "sbi" },
    { form: "direct", device: "Sstc", boot: "sstc" },
  ];
  return paths.map((path) => ({ ...row, ...path, run: (boot) => wakeUps(boot, amounts.expiries) }));
}
