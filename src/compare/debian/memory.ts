// Rows of memory that the guest gives up and gets back.
import type { Amounts } from "../amounts.ts";
import type { Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { DebianAbsence, DebianTask } from "./task.ts";

const PAGE = 4096;

/** The host asks when the window begins, and the guest looks each millisecond whether it is done. */
async function balloon(boot: DebianBoot, pages: number, direction: "inflate" | "deflate"): Promise<Finding> {
  // Pages that a processor keeps to itself do not count as free: it is to keep few.
  await boot.run("echo 10000 >/proc/sys/vm/percpu_pagelist_high_fraction");
  const { usage, rate } = await boot.work("balloon", {
    warm: 0,
    measured: pages,
    parts: 1,
    args: [direction],
    onStart: (guest) => guest.setBalloon(direction === "inflate" ? pages * PAGE : 0),
  });
  return { value: rate, operations: pages, usage };
}

const TAKEN = "the host takes pages";

export function tasks({ balloonPages: { measured: pages } }: Amounts): DebianTask[] {
  const path = { function: "memory", form: "paravirt", device: "virtio-balloon", boot: "links" } as const;
  const row = { ...path, unit: "pages/s", operation: "page" } as const;
  return [
    { ...row, workload: TAKEN, run: (boot) => balloon(boot, pages, "inflate") },
    { ...row, workload: "and gives them back", run: (boot) => balloon(boot, pages, "deflate") },
  ];
}

export const absent: DebianAbsence[] = [
  {
    function: "memory",
    workload: TAKEN,
    form: "paravirt",
    device: "virtio-mem",
    reason: "left out of Debian's kernel (paravane guest kernel --config paravirt)",
  },
];
