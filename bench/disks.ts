// How fast are disks, beside QEMU on the same kernel, initrd and image? fio in the guest, past its
// page cache, on a disk of each kind that both machines have.
import { copyFileSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecResult } from "../src/guest/agent.ts";
import { createGuest, type Guest, type NodeDiskOptions } from "../src/index.ts";
import { buildDebianGuest, type DebianGuest } from "../src/platform/node/debian/build.ts";
import { ownCpu } from "./measure/cpu-time.ts";
import type { Benchmark, Context, Mark, Report, Row } from "./measure/report.ts";
import { median, pairedRatio } from "./measure/statistics.ts";
import { findQemu, type Qemu, qemuDisk } from "./peer/qemu.ts";
import { QemuGuest } from "./peer/qemu-guest.ts";

const MIB = 1024 * 1024;
const IMAGE_BYTES = 256 * MIB;
const MEMORY = "512M";
const PATIENCE_MS = 300_000;

/** The promises: times QEMU's. */
const EMULATED_MARK = 2;
const PARAVIRT_MARK = 5;

const NVME = "nvme,drive=measured,serial=measured";
/** QEMU's NVMe stands still for seconds behind a PLIC, whose wires lose its interrupts: both machines have MSI-X for it. */
const AIA = { irqchip: "aia", machine: ["-machine", "aia=aplic-imsic"] } as const;
const PLIC = { irqchip: "plic", machine: [] } as const;

interface Device {
  name: string;
  disk: Pick<NodeDiskOptions, "if" | "doorbellBuffer">;
  chip: typeof AIA | typeof PLIC;
  /** What QEMU has for it. */
  qemu: readonly string[];
  form: "emulated" | "paravirtual";
  /** Times QEMU's rate that was promised: emulated in each job, paravirtual in IOPS; of a doorbell buffer nothing was. */
  mark?: number;
}

const DEVICES: readonly Device[] = [
  {
    ...{ name: "nvme", disk: { if: "nvme" }, chip: AIA, form: "emulated", mark: EMULATED_MARK },
    qemu: ["-device", `${NVME},dbcs=off`],
  },
  {
    ...{ name: "nvme, doorbell buffer", disk: { if: "nvme", doorbellBuffer: true }, chip: AIA, form: "paravirtual" },
    qemu: ["-device", NVME],
  },
  {
    ...{ name: "ahci", disk: { if: "ahci" }, chip: PLIC, form: "emulated", mark: EMULATED_MARK },
    qemu: ["-device", "ich9-ahci,id=ahci", "-device", "ide-hd,drive=measured,bus=ahci.0"],
  },
  {
    ...{ name: "virtio", disk: { if: "virtio" }, chip: PLIC, form: "paravirtual", mark: PARAVIRT_MARK },
    qemu: ["-device", "virtio-blk-pci,drive=measured"],
  },
];

interface Job {
  name: string;
  options: string;
  unit: "IOPS" | "MB/s";
  /** Operations by which two runs differ that show what one costs. */
  counted: number;
  blockSize: number;
}

const JOBS: readonly Job[] = [
  {
    name: "4 KiB random read, depth 1",
    options: "--rw=randread --bs=4k --iodepth=1",
    unit: "IOPS",
    counted: 2000,
    blockSize: 4096,
  },
  {
    name: "4 KiB random read, depth 32",
    options: "--rw=randread --bs=4k --iodepth=32",
    unit: "IOPS",
    counted: 3200,
    blockSize: 4096,
  },
  {
    name: "1 MiB sequential read",
    options: "--rw=read --bs=1M --iodepth=1",
    unit: "MB/s",
    counted: 200,
    blockSize: MIB,
  },
  {
    name: "1 MiB sequential write",
    options: "--rw=write --bs=1M --iodepth=1",
    unit: "MB/s",
    counted: 200,
    blockSize: MIB,
  },
];

/** What both machines can do. */
interface Machine {
  exec(command: string): Promise<ExecResult>;
  /** Processor time so far, in ms. */
  cpu(): number;
}

async function output(machine: Machine, command: string): Promise<string> {
  const { status, stdout, stderr } = await machine.exec(command);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (status !== 0) throw new Error(`${command} ended with status ${status}: ${text(stderr).trim()}`);
  return text(stdout);
}

/** The measured disk's name is known by its size: the other holds fio. */
async function findDisk(machine: Machine): Promise<string> {
  const find = `for disk in /sys/block/*; do
    [ "$(cat $disk/size)" = ${IMAGE_BYTES / 512} ] && echo \${disk##*/} && echo none >$disk/queue/scheduler && exit
  done; exit 1`;
  return (await output(machine, find)).trim();
}

function fio(disk: string, { options }: Job, extent: string): string {
  return `cd /tmp && fio --name=disk --filename=/dev/${disk} --direct=1 --ioengine=libaio --thread --randrepeat=1 --norandommap ${options} ${extent}`;
}

interface Speed {
  /** Operations, or millions of bytes, a second of the guest's, as fio finds. */
  rate: number;
  /** Host processor time of an operation in us; fio's start is in it. */
  cpu: number;
}

async function speed(machine: Machine, disk: string, job: Job, seconds: number): Promise<Speed> {
  const before = machine.cpu();
  const said = await output(
    machine,
    fio(disk, job, `--time_based --runtime=${seconds} --ramp_time=1 --output-format=json`),
  );
  const cpu = (machine.cpu() - before) * 1000;
  const [{ read, write }] = JSON.parse(said.slice(said.indexOf("{"))).jobs;
  const { iops, bw_bytes: bytes } = read.iops > 0 ? read : write;
  // What ran in the second of ramp is not in fio's counts.
  const operations = iops * (seconds + 1);
  return { rate: job.unit === "IOPS" ? iops : bytes / 1e6, cpu: cpu / operations };
}

interface Costs {
  exits: number;
  instructions: number;
}

function countersOf(guest: Guest): Costs {
  const left = guest.counters().filter(({ kind }) => kind !== "interrupt");
  return { exits: left.reduce((sum, { count }) => sum + Number(count), 0), instructions: guest.instructions };
}

/** What an operation costs on our side: two runs differ by a known number of them. */
async function costs(guest: Guest, machine: Machine, disk: string, job: Job): Promise<Costs> {
  const run = async (operations: number): Promise<Costs> => {
    const before = countersOf(guest);
    await output(machine, fio(disk, job, `--io_size=${operations * job.blockSize} --output=/dev/null`));
    const after = countersOf(guest);
    return { exits: after.exits - before.exits, instructions: after.instructions - before.instructions };
  };
  await run(64);
  const [few, many] = [await run(64), await run(64 + job.counted)];
  const each = (key: keyof Costs) => (many[key] - few[key]) / job.counted;
  return { exits: each("exits"), instructions: each("instructions") };
}

function qemuMachine(qemu: Qemu, guest: DebianGuest, device: Device, image: string): QemuGuest {
  const drive = ["-drive", `file=${image},format=raw,if=none,id=measured`];
  const disks = [...device.chip.machine, ...qemuDisk(guest.toolsDisk, "readonly"), ...drive, ...device.qemu];
  return new QemuGuest(qemu, guest, MEMORY, disks);
}

/** One device on both machines, which are up at the same time and work in turns. */
async function measure(device: Device, images: [ours: string, theirs: string], qemu: Qemu, context: Context) {
  const { quick, progress } = context;
  const debian = await buildDebianGuest({ progress });
  const { name, disk, chip } = device;
  progress(`${name}: booting both`);
  const guest = await createGuest({
    guest: "debian",
    exec: true,
    tools: true,
    memory: MEMORY,
    irqchip: chip.irqchip,
    disks: [{ path: images[0], ...disk }],
  });
  const peer = qemuMachine(qemu, debian, device, images[1]);
  try {
    const patience = { timeout: PATIENCE_MS };
    const ours: Machine = { exec: (command) => guest.exec(command, patience), cpu: ownCpu };
    const theirs: Machine = { exec: (command) => peer.exec(command), cpu: () => peer.cpu() };
    await Promise.all([guest.ready(), peer.ready()]);
    const disks = { ours: await findDisk(ours), theirs: await findDisk(theirs) };
    const found = [];
    for (const job of JOBS) {
      const [mine, peers]: [Speed[], Speed[]] = [[], []];
      // Both translate what they run; the first operations are of that.
      progress(`${name}: ${job.name}, untimed`);
      for (const [machine, disk] of [
        [ours, disks.ours],
        [theirs, disks.theirs],
      ] as const) {
        await speed(machine, disk, job, quick ? 1 : 3);
      }
      for (let round = 0; round < (quick ? 1 : 5); round++) {
        progress(`${name}: ${job.name}, round ${round + 1}`);
        mine.push(await speed(ours, disks.ours, job, quick ? 1 : 3));
        peers.push(await speed(theirs, disks.theirs, job, quick ? 1 : 3));
      }
      found.push({ job, mine, peers, each: await costs(guest, ours, disks.ours, job) });
    }
    return found;
  } finally {
    guest.close();
    peer.close();
  }
}

/** A folder in memory where there is one: what the machine's own disk takes is nobody's measurement. */
function folderFor(bytes: number): string {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    if (bavail * bsize > bytes) return mkdtempSync("/dev/shm/paravane-bench-");
  } catch {}
  return mkdtempSync(join(tmpdir(), "paravane-bench-"));
}

async function run(context: Context): Promise<Report> {
  const qemu = await findQemu(context.progress);
  const folder = folderFor(3 * IMAGE_BYTES);
  const rows: Row[] = [];
  const marks: Mark[] = [];
  try {
    const images: [string, string] = [join(folder, "ours.img"), join(folder, "theirs.img")];
    // No hole is to be read: every block is there.
    writeFileSync(images[0], Buffer.alloc(IMAGE_BYTES, 0x5a));
    truncateSync(images[0], IMAGE_BYTES);
    copyFileSync(images[0], images[1]);
    for (const device of DEVICES) {
      const found = await measure(device, images, qemu, context);
      const of = (speeds: readonly Speed[], key: keyof Speed) => speeds.map((it) => it[key]);
      const ratios = found.map(({ mine, peers }) => pairedRatio(of(mine, "rate"), of(peers, "rate")));
      found.forEach(({ job, mine, peers, each }, i) => {
        const figures = {
          paravane: median(of(mine, "rate")),
          qemu: median(of(peers, "rate")),
          ratio: ratios[i],
          cpu: median(of(mine, "cpu")),
          peerCpu: median(of(peers, "cpu")),
        };
        rows.push({ device: device.name, job: job.name, unit: job.unit, ...figures, ...each });
      });
      const mark = (what: string, value: number, limit: number) =>
        marks.push({ what, value, limit, atLeast: true, unit: "x QEMU's" });
      if (device.mark === undefined) continue;
      if (device.form === "emulated") mark(`${device.name}, least of all`, Math.min(...ratios), device.mark);
      else {
        for (const [i, { job }] of found.entries()) {
          if (job.unit === "IOPS") mark(`${device.name}, ${job.name}`, ratios[i], device.mark);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    columns: [
      { key: "device", title: "disk" },
      { key: "job", title: "fio" },
      { key: "unit", title: "" },
      { key: "paravane", title: "paravane" },
      { key: "qemu", title: "QEMU" },
      { key: "ratio", title: "x QEMU's", digits: 2 },
      { key: "cpu", title: "host CPU us", digits: 1 },
      { key: "peerCpu", title: "QEMU's", digits: 1 },
      { key: "exits", title: "exits", digits: 1 },
      { key: "instructions", title: "guest instructions" },
    ],
    rows,
    marks,
    notes: [
      `the peer: ${qemu.version}; the same kernel, initrd and tools, ${MEMORY}, one hart, PLIC (for NVMe AIA), an image of ${IMAGE_BYTES / MIB} MiB in ${folder.startsWith("/dev/shm") ? "memory" : "a file"}`,
      `direct, libaio, no scheduler; rates by the guest's clock; both machines are up and work in turns, ${context.quick ? "one round" : "five rounds"}`,
      "host CPU, exits and guest instructions are an operation's, exits and instructions on our side",
    ],
  };
}

export const disks: Benchmark = { question: "How fast are disks, beside QEMU?", run };
