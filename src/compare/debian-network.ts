// Network rows on Debian: one guest, three network devices, each with a host in memory on its
// wire (net-peer.ts). fio sends and receives; its window is cut at that host, by the bytes that
// have come or gone, so fio's own start and end lie outside it.
import type { Amounts } from "./amounts.ts";
import type { DebianBoot, NetDevice } from "./debian-boot.ts";
import type { DebianTask } from "./debian-task.ts";
import { CALLED, Service } from "./net-peer.ts";
import { type Amount, type Finding, NETWORKS } from "./work.ts";

/** Bytes that one operation is counted as. */
const SEGMENT = 64 << 10;
/** Runs on after the window by this much, so that its end is no end of a connection. */
const TAIL = 1.1;

const hostOf = (device: NetDevice) => `10.0.${NETWORKS[device]}.2`;

/** fio with its network engine, without a file of its own. */
const fio = (options: string) =>
  `cd /tmp && fio --name=compare --ioengine=net --protocol=tcp --thread --output=/dev/null ${options}`;

async function send(boot: DebianBoot, device: NetDevice, { warm, measured }: Amount): Promise<Finding> {
  const size = Math.ceil((warm + measured) * TAIL) * SEGMENT;
  const command = fio(
    `--rw=write --bs=${SEGMENT} --size=${size} --hostname=${hostOf(device)} --port=${Service.DISCARD}`,
  );
  const { usage, count, rate } = await boot.tallyNet(command, device, inBytes({ warm, measured }));
  return { value: rate / 1e6, operations: count / SEGMENT, usage };
}

/** fio receives where it listens. An echo request after that tells the host, which then calls. */
async function receive(boot: DebianBoot, device: NetDevice, { warm, measured }: Amount): Promise<Finding> {
  const size = Math.ceil((warm + measured) * TAIL) * SEGMENT;
  const listens = `until grep -q :${CALLED.toString(16)} /proc/net/tcp; do sleep 0.02; done`;
  const command = `(${fio(`--rw=read --bs=${SEGMENT} --size=${size} --listen --port=${CALLED}`)}) & ${listens}; ping -q -c 1 ${hostOf(device)} >/dev/null; wait $!`;
  boot.call(device);
  const { usage, count, rate } = await boot.tallyNet(command, device, inBytes({ warm, measured }));
  return { value: rate / 1e6, operations: count / SEGMENT, usage };
}

function inBytes({ warm, measured }: Amount): Amount {
  return { warm: warm * SEGMENT, measured: measured * SEGMENT };
}

/** A byte goes, and the next one when it has come back. */
async function roundTrips(boot: DebianBoot, device: NetDevice, amount: Amount): Promise<Finding> {
  const size = Math.ceil((amount.warm + amount.measured) * TAIL);
  const command = fio(
    `--rw=write --bs=1 --size=${size} --pingpong=1 --nodelay=1 --hostname=${hostOf(device)} --port=${Service.ECHO}`,
  );
  const { usage, count, rate } = await boot.tallyNet(command, device, amount);
  return { value: 1e6 / rate, operations: count, usage };
}

export function tasks({ segments, roundTrips: trips }: Amounts): DebianTask[] {
  const row = { function: "network", boot: "network" } as const;
  const tcp = { ...row, unit: "MB/s", operation: "64 KiB" } as const;
  const paths = [
    { form: "emulated", device: "e1000" },
    { form: "emulated", device: "e1000e" },
    { form: "paravirt", device: "virtio-net" },
  ] as const;
  return [
    ...paths.map((path) => ({
      ...tcp,
      ...path,
      workload: "TCP, guest sends",
      run: (boot: DebianBoot) => send(boot, path.device, segments),
    })),
    ...paths.map((path) => ({
      ...tcp,
      ...path,
      workload: "TCP, guest receives",
      run: (boot: DebianBoot) => receive(boot, path.device, segments),
    })),
    ...paths.map((path) => ({
      ...row,
      ...path,
      workload: "round trip of 1 byte",
      unit: "us" as const,
      operation: "round trip",
      run: (boot: DebianBoot) => roundTrips(boot, path.device, trips),
    })),
  ];
}
