// One boot of Debian's kernel, ready to be measured: its disks and networks are watched, and so is
// all that its consoles and our own ports put out.
import { createSwitch } from "../../backend/switch.ts";
import type { Guest } from "../../guest/guest.ts";
import type { ClockKind, DiskOptions, NetOptions, OutputPort } from "../../guest/options.ts";
import { between, beyond, PARTS, type Passed, passedInParts, type Snapshot, snapshot, Tally } from "../meter.ts";
import { NetPeer } from "../net-peer.ts";
import { MemoryVsock } from "../vsock-peer.ts";
import {
  type Amount,
  type CompareGuestOptions,
  type CompareHost,
  DISK_BYTES,
  SHARED_FILE,
  watchedDisk,
  watchedPort,
  within,
} from "../work.ts";
import { BOOTS, type BootKind, type DiskDevice, type NetDevice } from "./boots.ts";
import { DiskFunctions } from "./disk-functions.ts";

/** The port on which a command says where a window begins and ends. */
const MARKER_PORT = "paravane.marker";
/** Streams of bytes to the host: a port of the virtio console, and the second serial port. */
export const STREAM_PORT = "paravane.stream";
export const SERIAL_PORT = "paravane.serial";
/** Where the folder of the host is, by its tag. */
export const SHARE_TAG = "share";

const MEMORY = "256M";
/** Host time that a boot, and then each command, may take, in ms. */
const PATIENCE = 120_000;

const PROGRAM = "/tmp/workload";

const DISKS: Record<DiskDevice, DiskOptions> = {
  nvme: { if: "nvme" },
  "nvme-dbbuf": { if: "nvme", doorbellBuffer: true },
  ahci: { if: "ahci" },
  virtio: { if: "virtio" },
};

const MODELS = { e1000: "e1000", e1000e: "e1000e", "virtio-net": "virtio" } as const;
/** Number of the network that each device has to itself. */
const NETWORKS = { e1000: 2, e1000e: 3, "virtio-net": 4 } as const;

/** Of the guest on the network of `device`, of the second guest there, and of a host in memory. */
export function addressOn(device: NetDevice, who: "guest" | "second" | "host"): string {
  return `10.0.${NETWORKS[device]}.${{ guest: 15, second: 16, host: 2 }[who]}`;
}

export interface BootContext {
  host: CompareHost;
  clock: ClockKind;
  seed: bigint | undefined;
}

/** What listens at the moment. */
interface Watch {
  output?: (port: OutputPort, bytes: Uint8Array) => void;
  moved?: (device: DiskDevice, bytes: number) => void;
  carried?: (device: NetDevice, bytes: number) => void;
}

/** How much of a workload program's work is done, and with what. */
export interface Workload extends Amount {
  args?: readonly (string | number)[];
  /** Windows that it is divided into. Default: PARTS. */
  parts?: number;
  /** On hart 0 alone, which takes the interrupts. */
  onOneHart?: boolean;
  /** Called when the measured work begins, before the guest's next instruction. */
  onStart?(guest: Guest): void;
}

export class DebianBoot {
  readonly #guest: Guest;
  readonly #host: CompareHost;
  readonly #watch: Watch;
  readonly #peers: ReadonlyMap<NetDevice, NetPeer>;
  readonly #disks: DiskFunctions;
  /** A second guest, whose work counts as the first one's. */
  readonly second: DebianBoot | undefined;
  #hasProgram = false;

  private constructor(parts: {
    guest: Guest;
    host: CompareHost;
    watch: Watch;
    peers: ReadonlyMap<NetDevice, NetPeer>;
    disks: readonly DiskDevice[];
    second?: DebianBoot;
  }) {
    this.#guest = parts.guest;
    this.#host = parts.host;
    this.#watch = parts.watch;
    this.#peers = parts.peers;
    this.#disks = new DiskFunctions(parts.disks, (command) => this.run(command));
    this.second = parts.second;
  }

  static async start(kind: BootKind, context: BootContext): Promise<DebianBoot> {
    const { switched } = BOOTS[kind];
    if (switched === undefined) return DebianBoot.#one(kind, context, () => []);
    const lans = switched.map((device) => ({ device, lan: createSwitch() }));
    const on = (who: "guest" | "second", watch?: Watch): NetOptions[] =>
      lans.map(({ device, lan }) => ({
        backend: watchedPort(lan.port(), (bytes) => watch?.carried?.(device, bytes)),
        model: MODELS[device],
        mac: `52:54:00:00:0${NETWORKS[device]}:${addressOn(device, who).split(".")[3]}`,
        address: `${addressOn(device, who)}/24`,
      }));
    const second = await DebianBoot.#one(kind, context, () => on("second"));
    try {
      return await DebianBoot.#one(kind, context, (watch) => on("guest", watch), second);
    } catch (error) {
      await second.end();
      throw error;
    }
  }

  static async #one(
    kind: BootKind,
    { host, clock, seed }: BootContext,
    switchedNets: (watch: Watch) => NetOptions[],
    second?: DebianBoot,
  ): Promise<DebianBoot> {
    const { options, disks = [], pmem, networks = [], links } = BOOTS[kind];
    const watch: Watch = {};
    const peers = new Map(
      networks.map((device) => [
        device,
        new NetPeer(NETWORKS[device], (bytes) => watch.carried?.(device, bytes), host),
      ]),
    );
    const guest = await host.createGuest({
      ...options,
      guest: "debian",
      tools: true,
      exec: true,
      memory: MEMORY,
      clock,
      seed,
      ports: links ? [MARKER_PORT, STREAM_PORT] : [MARKER_PORT],
      disks: disks.map((device) => ({
        ...DISKS[device],
        backend: watchedDisk(`${device} disk`, (bytes) => watch.moved?.(device, bytes)),
      })),
      ...(pmem && { pmem: [{ bytes: new Uint8Array(DISK_BYTES) }] }),
      nets: [
        ...[...peers].map(([device, backend]) => ({
          backend,
          model: MODELS[device],
          address: `${addressOn(device, "guest")}/24`,
        })),
        ...switchedNets(watch),
      ],
      ...(links && (await DebianBoot.#links(host))),
      onOutput: (port, bytes) => watch.output?.(port, bytes),
    });
    const boot = new DebianBoot({ guest, host, watch, peers, disks, second });
    try {
      await within(host, PATIENCE, "the guest to be ready", guest.ready());
    } catch (error) {
      guest.close();
      throw error;
    }
    return boot;
  }

  static async #links(host: CompareHost): Promise<CompareGuestOptions> {
    const backend = await host.shareFolder?.({ file: new Uint8Array(SHARED_FILE) });
    return {
      balloon: true,
      serial: SERIAL_PORT,
      vsock: { backend: new MemoryVsock() },
      shares: backend === undefined ? [] : [{ tag: SHARE_TAG, backend, readOnly: true }],
    };
  }

  async end(): Promise<void> {
    // What the guest does on its way down is nobody's measurement.
    this.#guest.close();
    await this.#guest.wait().catch(() => undefined);
    await this.second?.end();
  }

  /** Runs a command for its standard output. @throws Error with what it said if it fails. */
  async run(command: string, stdin?: Uint8Array): Promise<string> {
    const { status, stdout, stderr } = await this.#guest.exec(command, { timeout: PATIENCE, stdin });
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    if (status !== 0) {
      const last = (text(stderr) || text(stdout)).split("\n").slice(-3).join("; ");
      throw new Error(`status ${status}: ${last || "it said nothing"}`);
    }
    return text(stdout);
  }

  /** Lets the guest have this disk and none of the others that are measured; the name of its node. */
  takeDisk(device: DiskDevice): Promise<string> {
    return this.#disks.take(device);
  }

  /** Runs `command` and measures while what `count` sees in a console's output passes by. */
  async tallyOutput(command: string, from: OutputPort, amount: Amount, count: (bytes: Uint8Array) => number) {
    const tally = this.#tally(amount);
    this.#watch.output = (port, bytes) => {
      if (port === from) tally.add(count(bytes));
    };
    return this.#tallied(this.run(command), tally, `units of output on ${from}`);
  }

  /** Runs `command` and measures while a disk moves bytes. */
  async tallyDisk(command: string, device: DiskDevice, amount: Amount) {
    const tally = this.#tally(amount);
    this.#watch.moved = (disk, bytes) => {
      if (disk === device) tally.add(bytes);
    };
    return this.#tallied(this.run(command), tally, `bytes of the ${device} disk`);
  }

  /** The host on a network connects to the guest when that next asks it for an echo, and sends. */
  call(device: NetDevice): void {
    this.#peers.get(device)?.call();
  }

  /** Measures while the other side of a network takes or gives bytes, until `running` has ended. */
  async tallyNet(running: () => Promise<unknown>, device: NetDevice, amount: Amount) {
    const tally = this.#tally(amount);
    this.#watch.carried = (network, bytes) => {
      if (network === device) tally.add(bytes);
    };
    return this.#tallied(running(), tally, `bytes on the network of ${device}`);
  }

  /** Runs `command`, in which descriptor 3 is the marker port: a snapshot for each write there. */
  async marks(command: string, onMark: (index: number) => void = () => {}) {
    const marks: Snapshot[] = [];
    this.#watch.output = (port) => {
      if (port !== MARKER_PORT) return;
      marks.push(this.#snapshot());
      onMark(marks.length - 1);
    };
    try {
      return { marks, output: await this.run(`${findPort(MARKER_PORT)} && exec 3>$port\n${command}`) };
    } finally {
      this.#watch.output = undefined;
    }
  }

  /** Runs one workload of our program for Linux (bench/workload), and measures it by its marks. */
  async work(name: string, workload: Workload): Promise<Passed> {
    const { warm, measured, args = [], parts = PARTS, onOneHart, onStart } = workload;
    await this.#upload();
    const command = [...(onOneHart ? ["taskset", 1] : []), PROGRAM, name, warm, measured, parts, ...args].join(" ");
    // Three marks before the first part; the second pair has nothing between.
    const { marks } = await this.marks(command, (index) => index === 2 && onStart?.(this.#guest));
    if (marks.length !== parts + 3) throw new Error(`${marks.length} of ${parts + 3} marks came`);
    return passedInParts(marks.slice(2), between(marks[1], marks[2]), measured);
  }

  /** The same without marks, for what is seen from outside. */
  async workSeen(name: string, { warm, measured, args = [] }: Workload): Promise<void> {
    await this.#upload();
    await this.run([PROGRAM, name, warm, measured, 1, ...args, "3>/dev/null"].join(" "));
  }

  /** What `long` costs beyond `short`, commands that differ by some operations, and what `after` prints. */
  async difference(short: string, long: string, after = "true") {
    // The first run of all pays for what later ones find loaded.
    const runs = [short, short, long].map((command) => `${command} && echo >&3`);
    const { marks, output } = await this.marks([...runs, after].join(" && "));
    if (marks.length !== 3) throw new Error(`${marks.length} of 3 marks came`);
    const [first, second, third] = marks;
    return { output, usage: beyond(between(second, third), between(first, second)) };
  }

  async #upload(): Promise<void> {
    if (this.#hasProgram) return;
    await this.run(`cat >${PROGRAM} && chmod +x ${PROGRAM}`, await this.#host.readWorkload());
    this.#hasProgram = true;
  }

  #guests(): Guest[] {
    return this.second === undefined ? [this.#guest] : [this.#guest, ...this.second.#guests()];
  }

  #snapshot(): Snapshot {
    return snapshot(this.#guests(), this.#host);
  }

  #tally({ warm, measured }: Amount): Tally {
    return new Tally(
      warm,
      warm + measured,
      () => this.#guest.ticks,
      () => this.#snapshot(),
    );
  }

  async #tallied(running: Promise<unknown>, tally: Tally, what: string): Promise<Passed> {
    try {
      await running;
    } finally {
      this.#watch.output = undefined;
      this.#watch.moved = undefined;
      this.#watch.carried = undefined;
    }
    return tally.result(what);
  }
}

/** Shell that sets $port to the device of a port. */
export function findPort(name: string): string {
  return `for p in /sys/class/virtio-ports/*; do
    read -r name <$p/name && [ "$name" = ${name} ] && port=/dev/\${p##*/}
  done 2>/dev/null; [ -n "$port" ]`;
}
