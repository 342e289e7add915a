// Network rows on Debian: one guest, three network devices, each with a host in memory on its
// wire (net-peer.ts). fio sends and receives; its window is cut at that host, by the bytes that
// have come or gone, so fio's own start and end lie outside it.
import type { Amounts } from "../amounts.ts";
import { CALLED, Service } from "../net-peer.ts";
import type { Amount, Finding } from "../work.ts";
import { addressOn, type DebianBoot } from "./boot.ts";
import type { NetDevice } from "./boots.ts";
import type { DebianTask } from "./task.ts";

/** Bytes that one operation is counted as. */
const SEGMENT = 64 << 10;
/** Runs on after the window by this much, so that its end is no end of a connection. */
const TAIL = 1.1;

/** Of a datagram in a frame of 64 bytes, check sequence included (bench/workload). */
const DATAGRAM = 18;

const hostOf = (device: NetDevice) => addressOn(device, "host");

const LISTENS = `until grep -q ":${CALLED.toString(16)} 00000000:0000 0A" /proc/net/tcp; do sleep 0.02; done`;

/** fio with its network engine, without a file of its own. */
const fio = (options: string) =>
  `cd /tmp && fio --name=compare --ioengine=net --protocol=tcp --thread --output=/dev/null ${options}`;

async function send(boot: DebianBoot, device: NetDevice, { warm, measured }: Amount): Promise<Finding> {
  const size = Math.ceil((warm + measured) * TAIL) * SEGMENT;
  const command = fio(
    `--rw=write --bs=${SEGMENT} --size=${size} --hostname=${hostOf(device)} --port=${Service.DISCARD}`,
  );
  const { usage, count, rate } = await boot.tallyNet(() => boot.run(command), device, inBytes({ warm, measured }));
  return { value: rate / 1e6, operations: count / SEGMENT, usage };
}

/** fio receives where it listens. An echo request after that tells the host, which then calls. */
async function receive(boot: DebianBoot, device: NetDevice, { warm, measured }: Amount): Promise<Finding> {
  const size = Math.ceil((warm + measured) * TAIL) * SEGMENT;
  const command = `(${fio(`--rw=read --bs=${SEGMENT} --size=${size} --listen --port=${CALLED}`)}) & ${LISTENS}; ping -q -c 1 ${hostOf(device)} >/dev/null; wait $!`;
  boot.call(device);
  const { usage, count, rate } = await boot.tallyNet(() => boot.run(command), device, inBytes({ warm, measured }));
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
  const { usage, count, rate } = await boot.tallyNet(() => boot.run(command), device, amount);
  return { value: 1e6 / rate, operations: count, usage };
}

/** Datagrams go out as fast as the device takes them; they are counted where they arrive. */
async function packets(boot: DebianBoot, device: NetDevice, { warm, measured }: Amount): Promise<Finding> {
  const sent = Math.ceil((warm + measured) * TAIL);
  const args = [hostOf(device), Service.DISCARD];
  const amount = { warm: warm * DATAGRAM, measured: measured * DATAGRAM };
  const { usage, count, rate } = await boot.tallyNet(
    () => boot.workSeen("udp", { warm: 0, measured: sent, args }),
    device,
    amount,
  );
  return { value: rate / DATAGRAM, operations: count / DATAGRAM, usage };
}

/** Between two guests: fio listens in the second. */
async function toSecond(boot: DebianBoot, device: NetDevice, amount: Amount): Promise<Finding> {
  const size = Math.ceil((amount.warm + amount.measured) * TAIL) * SEGMENT;
  const { second } = boot;
  if (second === undefined) throw new Error("this boot has one guest");
  // It would take more: who sends is not to find that nobody is there any more.
  const receiver = fio(`--rw=read --bs=${SEGMENT} --size=${2 * size} --listen --port=${CALLED}`);
  await second.run(`(${receiver}) </dev/null >/tmp/receiver 2>&1 & ${LISTENS}`);
  const to = addressOn(device, "second");
  const sender = fio(`--rw=write --bs=${SEGMENT} --size=${size} --hostname=${to} --port=${CALLED}`);
  const { usage, count, rate } = await boot.tallyNet(() => boot.run(sender), device, inBytes(amount));
  await second.run("for i in $(seq 100); do pidof fio >/dev/null || exit 0; sleep 0.02; done; killall fio");
  return { value: rate / 1e6, operations: count / SEGMENT, usage };
}

const GUEST_TO_GUEST = [
  { form: "emulated", device: "e1000, switch", net: "e1000" },
  { form: "direct", device: "virtio-net, switch", net: "virtio-net" },
] as const;

export function tasks({ segments, roundTrips: trips, packets: datagrams, guestSegments }: Amounts): DebianTask[] {
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
    ...paths.map((path) => ({
      ...row,
      ...path,
      workload: "64-byte packets, guest sends",
      unit: "packets/s" as const,
      operation: "packet",
      run: (boot: DebianBoot) => packets(boot, path.device, datagrams),
    })),
    ...GUEST_TO_GUEST.map((path) => ({
      ...tcp,
      ...path,
      boot: "guests" as const,
      workload: "TCP, guest to guest",
      run: (boot: DebianBoot) => toSecond(boot, path.net, guestSegments),
    })),
  ];
}
