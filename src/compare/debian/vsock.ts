// Rows of sockets between guest and host, with a host in memory at the other end (vsock-peer.ts).
import type { Amounts } from "../amounts.ts";
import { Service } from "../net-peer.ts";
import type { Amount, Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { DebianTask } from "./task.ts";

/** Bytes of one write (bench/workload). */
const BLOCK = 64 << 10;

async function send(boot: DebianBoot, amount: Amount): Promise<Finding> {
  const { usage, count, rate } = await boot.work("vsock-send", { ...amount, args: [Service.DISCARD] });
  return { value: (rate * BLOCK) / 1e6, operations: count, usage };
}

async function roundTrips(boot: DebianBoot, amount: Amount): Promise<Finding> {
  const { usage, count, rate } = await boot.work("vsock-echo", { ...amount, args: [Service.ECHO] });
  return { value: 1e6 / rate, operations: count, usage };
}

export function tasks({ vsockBlocks, vsockTrips }: Amounts): DebianTask[] {
  const path = { function: "vsock", form: "paravirt", device: "virtio-vsock", boot: "links" } as const;
  return [
    {
      ...path,
      workload: "stream, guest sends",
      unit: "MB/s",
      operation: "64 KiB",
      run: (boot) => send(boot, vsockBlocks),
    },
    {
      ...path,
      workload: "round trip of 1 byte",
      unit: "us",
      operation: "round trip",
      run: (boot) => roundTrips(boot, vsockTrips),
    },
  ];
}
