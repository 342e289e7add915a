// How fast is a network behind the host's own sockets, without root, beside QEMU's?
import { type ChildProcess, spawn } from "node:child_process";
import type { ExecResult } from "../src/guest/agent.ts";
import { createGuest, userNet } from "../src/index.ts";
import { buildDebianGuest } from "../src/platform/node/debian/build.ts";
import { ownCpu } from "./measure/cpu-time.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { median, pairedRatio } from "./measure/statistics.ts";
import { IperfServer, readIperf, readIperfDatagrams } from "./peer/iperf-server.ts";
import { findQemu, qemuDisk } from "./peer/qemu.ts";
import { QemuGuest } from "./peer/qemu-guest.ts";

const MEMORY = "1G";

/** The promises: so many times QEMU's throughput. */
const MARKS = { "virtio-net": 5, e1000: 2 } as const;
type Device = keyof typeof MARKS;

/** Each device has a network of its own; its .2 is this host's loopback. */
const NETWORKS: Record<Device, string> = { "virtio-net": "10.0.2", e1000: "10.0.3" };
const DEVICES = Object.keys(NETWORKS) as Device[];

interface Machine {
  /** Processor time so far, all threads, in ms. */
  cpu(): number;
  exec(command: string): Promise<ExecResult>;
}

/** What a guest does, and how much of it a second. */
interface Work {
  name: string;
  unit: string;
  command(host: string): string;
  read(output: string): number;
}

/** A program of this host's that sends back what it gets, in a process of its own. */
class EchoServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  static async start(): Promise<EchoServer> {
    const program = `require("net").createServer((socket) => socket.setNoDelay().pipe(socket).on("error", () => {}))
      .listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    const port = await new Promise<number>((resolve, reject) => {
      child.stdout.once("data", (bytes) => resolve(Number(bytes)));
      child.once("error", reject);
    });
    return new EchoServer(port, child);
  }

  close(): void {
    this.#child.kill();
  }
}

function works(iperf: number, echo: number, seconds: number): Work[] {
  const client = (host: string, options: string) => `iperf3 -c ${host} -p ${iperf} -t ${seconds} -J ${options}`;
  const megabits = (output: string) => readIperf(output).bitsPerSecond / 1e6;
  const trips = (host: string) =>
    `cd /tmp && fio --name=trip --ioengine=net --protocol=tcp --rw=write --bs=1 --size=64M --time_based --runtime=${seconds}
      --pingpong=1 --nodelay=1 --hostname=${host} --port=${echo} --thread --output-format=json`.replaceAll("\n", " ");
  return [
    { name: "TCP, guest sends", unit: "Mbit/s", command: (host) => client(host, ""), read: megabits },
    { name: "TCP, guest receives", unit: "Mbit/s", command: (host) => client(host, "-R"), read: megabits },
    {
      name: "64-byte datagrams, guest sends",
      unit: "1/s",
      command: (host) => client(host, "-u -b 0 -l 64"),
      read: readIperfDatagrams,
    },
    {
      name: "round trips of 1 byte",
      unit: "1/s",
      command: trips,
      read: (output) => {
        const { jobs } = JSON.parse(output.slice(output.indexOf("{"))) as { jobs: { write: { iops: number } }[] };
        return jobs[0].write.iops;
      },
    },
  ];
}

async function perform(machine: Machine, { command, read }: Work, host: string): Promise<number> {
  const { status, stdout, stderr } = await machine.exec(command(host));
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (status !== 0) throw new Error(`${command(host)} ended with status ${status}: ${text(stderr)}${text(stdout)}`);
  return read(text(stdout));
}

interface Measured {
  device: Device;
  work: Work;
  ours: number;
  theirs: number;
  /** Medians of the rounds' own ratios: of what is done in a second, and in a second of processor time. */
  ratio: number;
  cpuRatio: number;
}

async function measure(
  machines: Record<"ours" | "theirs", Machine>,
  device: Device,
  work: Work,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Measured> {
  const host = `${NETWORKS[device]}.2`;
  // Once untimed: both translators have what they need then.
  for (const machine of Object.values(machines)) await perform(machine, work, host);
  const cpu = { ours: [] as number[], theirs: [] as number[] };
  const samples = await inTurns(
    (["ours", "theirs"] as const).map((name) => ({
      name,
      async run() {
        const before = machines[name].cpu();
        const rate = await perform(machines[name], work, host);
        cpu[name].push((machines[name].cpu() - before) / (rate * seconds));
        // What it does a second is the other way round how long one takes.
        return 1000 / rate;
      },
    })),
    rounds,
  );
  const [ours, theirs] = [samples.get("ours") ?? [], samples.get("theirs") ?? []];
  const rate = (times: number[]) => 1000 / median(times);
  return {
    device,
    work,
    ours: rate(ours),
    theirs: rate(theirs),
    ratio: pairedRatio(theirs, ours),
    cpuRatio: pairedRatio(cpu.theirs, cpu.ours),
  };
}

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const files = await buildDebianGuest({ progress });
  const length = quick ? { rounds: 1, seconds: 2 } : { rounds: 5, seconds: 4 };
  const { rounds, seconds } = length;
  const measured: Measured[] = [];
  const closers: { close(): void }[] = [];
  try {
    const [iperf, echo] = [await IperfServer.start(), await EchoServer.start()];
    closers.push(iperf, echo);
    progress("booting paravane");
    const guest = await createGuest({
      guest: "debian",
      exec: true,
      tools: true,
      memory: MEMORY,
      nets: DEVICES.map((device) => ({
        backend: userNet({ net: `${NETWORKS[device]}.0/24` }),
        model: device === "e1000" ? device : "virtio",
      })),
    });
    closers.push(guest);
    await guest.ready();
    progress("booting QEMU");
    const cards = DEVICES.flatMap((device, i) => [
      ...["-netdev", `user,id=net${i},net=${NETWORKS[device]}.0/24`],
      ...["-device", `${device === "e1000" ? device : "virtio-net-pci"},netdev=net${i},romfile=`],
    ]);
    const theirs = new QemuGuest(qemu, files, MEMORY, [...qemuDisk(files.toolsDisk, "snapshot"), ...cards]);
    closers.push(theirs);
    await theirs.ready();
    const ours: Machine = {
      cpu: ownCpu,
      exec: (command) => guest.exec(command),
    };
    const machines = { ours, theirs };
    for (const work of works(iperf.port, echo.port, length.seconds)) {
      for (const device of DEVICES) {
        progress(`${device}: ${work.name}`);
        measured.push(await measure(machines, device, work, length));
      }
    }
  } finally {
    for (const it of closers.reverse()) it.close();
  }
  return {
    columns: [
      { key: "device", title: "device" },
      { key: "work", title: "work" },
      { key: "ours", title: "paravane" },
      { key: "theirs", title: "QEMU" },
      { key: "unit", title: "unit" },
      { key: "ratio", title: "ratio", digits: 2 },
      { key: "cpuRatio", title: "by CPU time", digits: 2 },
    ],
    rows: measured.map(({ work, ...figures }) => ({ ...figures, work: work.name, unit: work.unit })),
    marks: measured
      .filter(({ work }) => work.name.startsWith("TCP"))
      .map(({ device, work, ratio }) => ({
        what: `${device}, ${work.name}, times QEMU's throughput`,
        value: ratio,
        limit: MARKS[device],
        atLeast: true,
        unit: "",
      })),
    notes: [
      `the peer: ${qemu.version}; kernel ${files.version}, ${MEMORY}, one hart; the same device here and there`,
      "both without root, behind the host's sockets: `user` here, `-netdev user` there; iperf3 and an echo on the host",
      "ratio: times QEMU's rate; by CPU time: times what QEMU does in a second of processor time, all threads",
      `median of ${rounds} round${rounds > 1 ? "s" : ""} of ${seconds} s, in turns after one untimed, both machines up all the time`,
    ],
  };
}

export const network: Benchmark = { question: "How fast is a network without root, beside QEMU's?", run };
