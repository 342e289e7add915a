// One boot of Debian's kernel, ready to be measured: its disks are watched, and so is all
// that its consoles and our own port put out.
import type { Guest } from "../guest/guest.ts";
import type { ClockKind, OutputPort } from "../guest/options.ts";
import { type Passed, type Snapshot, snapshot, Tally } from "./meter.ts";
import { NetPeer } from "./net-peer.ts";
import { type Amount, type CompareGuestOptions, type CompareHost, NETWORKS, watchedDisk, within } from "./work.ts";

export type BootKind = "sbi" | "network" | "sstc" | "firmware";

/** The port on which a command says where a window begins and ends. */
export const MARKER_PORT = "paravane.marker";

const MEMORY = "256M";
/** Host time that a boot, and then each command, may take, in ms. */
const PATIENCE = 120_000;
const COMMON = "quiet panic=1 printk.devkmsg=on";

interface BootSettings {
  description: string;
  options: CompareGuestOptions;
}

const SETTINGS: Record<BootKind, BootSettings> = {
  sbi: {
    description: "paravirtual boot without Sstc, kernel console on the ns16550a",
    options: { console: "ns16550a", cpu: "rv64,sstc=off", append: `console=ttyS0 ${COMMON}` },
  },
  network: {
    description: "paravirtual boot with Sstc and three network devices, kernel console on virtio-console",
    options: { console: "virtio", append: `console=hvc0 ${COMMON}` },
  },
  sstc: {
    // A console that does not exist keeps the kernel from choosing one itself.
    description: "paravirtual boot with Sstc, SBI DBCN as the kernel's early and only console",
    options: { console: "sbi", append: `earlycon=sbi keep_bootcon console=hvc7 ${COMMON}` },
  },
  firmware: {
    description: "OpenSBI in M-mode without Sstc, kernel console on virtio-console",
    options: { console: "virtio", firmware: "opensbi", cpu: "rv64,sstc=off", append: `console=hvc0 ${COMMON}` },
  },
};

export type DiskDevice = "nvme" | "virtio";
export type NetDevice = keyof typeof NETWORKS;

const MODELS = { e1000: "e1000", e1000e: "e1000e", "virtio-net": "virtio" } as const;

export class DebianBoot {
  readonly #guest: Guest;
  readonly #host: CompareHost;
  readonly #watch: Watch;
  readonly #peers: Record<NetDevice, NetPeer>;

  private constructor(guest: Guest, host: CompareHost, watch: Watch, peers: Record<NetDevice, NetPeer>) {
    this.#peers = peers;
    this.#guest = guest;
    this.#host = host;
    this.#watch = watch;
  }

  static describe(kind: BootKind): string {
    return SETTINGS[kind].description;
  }

  static async start(
    kind: BootKind,
    { host, clock, seed }: { host: CompareHost; clock: ClockKind; seed: bigint | undefined },
  ): Promise<DebianBoot> {
    const watch: Watch = { output: undefined, moved: undefined, carried: undefined };
    const disk = (device: DiskDevice) => ({
      backend: watchedDisk(`${device} disk`, (bytes) => watch.moved?.(device, bytes)),
      if: device,
    });
    const peer = (device: NetDevice) => new NetPeer(NETWORKS[device], (bytes) => watch.carried?.(device, bytes), host);
    const peers = { e1000: peer("e1000"), e1000e: peer("e1000e"), "virtio-net": peer("virtio-net") };
    const net = (device: NetDevice) => ({
      backend: peers[device],
      model: MODELS[device],
      address: `10.0.${NETWORKS[device]}.15/24`,
    });
    const guest = await host.createGuest({
      ...SETTINGS[kind].options,
      guest: "debian",
      tools: true,
      exec: true,
      memory: MEMORY,
      clock,
      seed,
      ports: [MARKER_PORT],
      disks: [disk("nvme"), disk("virtio")],
      nets: kind === "network" ? (Object.keys(NETWORKS) as NetDevice[]).map(net) : [],
      onOutput: (port, bytes) => watch.output?.(port, bytes),
    });
    const boot = new DebianBoot(guest, host, watch, peers);
    try {
      await within(host, PATIENCE, "the guest to be ready", guest.ready());
    } catch (error) {
      guest.close();
      throw error;
    }
    return boot;
  }

  async end(): Promise<void> {
    // What the guest does on its way down is nobody's measurement.
    this.#guest.close();
    await this.#guest.wait().catch(() => undefined);
  }

  /** Runs a command for its standard output. @throws Error with what it said if it fails. */
  async run(command: string): Promise<string> {
    const { status, stdout, stderr } = await this.#guest.exec(command, { timeout: PATIENCE });
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    if (status !== 0) {
      const last = (text(stderr) || text(stdout)).split("\n").slice(-3).join("; ");
      throw new Error(`status ${status}: ${last || "it said nothing"}`);
    }
    return text(stdout);
  }

  /** Runs `command` and measures while what `count` sees in a console's output passes by. */
  async tallyOutput(command: string, from: OutputPort, amount: Amount, count: (bytes: Uint8Array) => number) {
    const tally = this.#tally(amount);
    this.#watch.output = (port, bytes) => {
      if (port === from) tally.add(count(bytes));
    };
    return this.#tallied(command, tally, `units of output on ${from}`);
  }

  /** Runs `command` and measures while a disk moves bytes. */
  async tallyDisk(command: string, device: DiskDevice, amount: Amount) {
    const tally = this.#tally(amount);
    this.#watch.moved = (disk, bytes) => {
      if (disk === device) tally.add(bytes);
    };
    return this.#tallied(command, tally, `bytes of the ${device} disk`);
  }

  /** The host on a network connects to the guest when that next asks it for an echo, and sends. */
  call(device: NetDevice): void {
    this.#peers[device].call();
  }

  /** Runs `command` and measures while the services on a network take or give bytes. */
  async tallyNet(command: string, device: NetDevice, amount: Amount) {
    const tally = this.#tally(amount);
    this.#watch.carried = (network, bytes) => {
      if (network === device) tally.add(bytes);
    };
    return this.#tallied(command, tally, `bytes on the network of ${device}`);
  }

  /** Runs `command`, in which descriptor 3 is the marker port: a snapshot for each line written there. */
  async marks(command: string): Promise<{ marks: Snapshot[]; output: string }> {
    const marks: Snapshot[] = [];
    this.#watch.output = (port) => {
      if (port === MARKER_PORT) marks.push(snapshot(this.#guest, this.#host));
    };
    const find = `for p in /sys/class/virtio-ports/*; do
      read -r name <$p/name && [ "$name" = ${MARKER_PORT} ] && exec 3>/dev/\${p##*/}
    done 2>/dev/null`;
    try {
      return { marks, output: await this.run(`${find}\n${command}`) };
    } finally {
      this.#watch.output = undefined;
    }
  }

  #tally({ warm, measured }: Amount): Tally {
    return new Tally(warm, warm + measured, this.#guest, this.#host);
  }

  async #tallied(command: string, tally: Tally, what: string): Promise<Passed> {
    try {
      await this.run(command);
    } finally {
      this.#watch.output = undefined;
      this.#watch.moved = undefined;
      this.#watch.carried = undefined;
    }
    return tally.result(what);
  }
}

/** What listens at the moment. */
interface Watch {
  output: ((port: OutputPort, bytes: Uint8Array) => void) | undefined;
  moved: ((device: DiskDevice, bytes: number) => void) | undefined;
  carried: ((device: NetDevice, bytes: number) => void) | undefined;
}
