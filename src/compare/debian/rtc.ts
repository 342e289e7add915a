// The wall clock's row: the clock chip behind /dev/rtc0, and the time CSR behind what every program calls.
import type { Amounts } from "../amounts.ts";
import type { DebianAbsence, DebianTask } from "./task.ts";

const ROW = { function: "rtc", workload: "reading the wall clock" } as const;

export function tasks({ chipReads, clockReads }: Amounts): DebianTask[] {
  const row = { ...ROW, unit: "us", operation: "reading", boot: "links" } as const;
  return [
    {
      ...row,
      form: "emulated",
      device: "goldfish RTC",
      async run(boot) {
        const { usage, count, rate } = await boot.work("rtc", { ...chipReads, args: ["/dev/rtc0"] });
        return { value: 1e6 / rate, operations: count, usage };
      },
    },
    {
      ...row,
      form: "direct",
      device: "time CSR (vDSO)",
      async run(boot) {
        const { usage, count, rate } = await boot.work("time", clockReads);
        return { value: 1e6 / rate, operations: count, usage };
      },
    },
  ];
}

export const absent: DebianAbsence[] = [
  {
    ...ROW,
    form: "paravirt",
    device: "virtio-rtc",
    reason: "no driver in Debian's kernel: Linux has one from 6.16 on (paravane guest kernel --release sid)",
  },
];
