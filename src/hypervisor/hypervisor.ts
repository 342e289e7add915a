// The centre that guests cannot reach around: which guests there are, what memory they may take together,
// what connects them, and what happens to them.
import { HostError, OptionError } from "../errors.ts";
import type { PortLike } from "./channel.ts";
import { CpuShares } from "./cpu-shares.ts";
import type { HostedConfig } from "./guest-worker.ts";
import { type GuestEvent, HostedGuest, type WorkerHandle } from "./hosted-guest.ts";
import type { SwitchCommand } from "./switch-worker.ts";

/** What a hypervisor needs of where it runs. */
export interface HypervisorHost<Config extends HostedConfig> {
  startGuestWorker(): WorkerHandle;
  startSwitchWorker(): WorkerHandle;
  /** Two ports, of which one can move to a worker and the other to another. */
  createPorts(): [PortLike, PortLike];
  /** Bytes that a guest takes of the host at most: its memory, and what the engine needs beside it. @throws OptionError */
  bytesOf(config: Config): number;
  /** Bytes that all guests together may take, if nothing else is said. */
  readonly memory: number;
  /** Cores that this machine has for them. */
  readonly cores: number;
}

export interface HypervisorOptions {
  /** Bytes that all guests together may take. Default: nine tenths of what this host may use. */
  memory?: number;
  /**
   * Cores that all guests together may use, each at most one. When more guests want to run, they share by the weights of their policies
   * (`guest.cpu.weight`). Default: those of this machine.
   */
  cores?: number;
}

const MOST_CORES = 1024;
const MIB = 1024 * 1024;
const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;

/** @throws OptionError unless a guest can have that name. */
export function checkGuestName(id: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)) {
    throw new OptionError(`"${id}" is no name for a guest: write letters, digits, ".", "_" or "-", at most 64`);
  }
}

/** Holds guests, each in a worker of its own. Make one with createHypervisor(). */
export class Hypervisor<Config extends HostedConfig = HostedConfig> {
  /** Bytes that all guests together may take. */
  readonly memory: number;
  /** Cores that all guests together may use. */
  readonly cores: number;
  /** Absent where threads cannot share memory. */
  readonly #shares: CpuShares | undefined;
  readonly #host: HypervisorHost<Config>;
  readonly #guests = new Map<string, HostedGuest<Config>>();
  readonly #reserved = new Map<string, number>();
  readonly #listeners = new Set<(event: GuestEvent) => void>();
  #switches: WorkerHandle | undefined;
  #nextLink = 0;
  #isClosed = false;

  constructor(host: HypervisorHost<Config>, { memory = host.memory, cores = host.cores }: HypervisorOptions = {}) {
    if (!Number.isSafeInteger(memory) || memory <= 0) {
      throw new OptionError(`memory ${memory} cannot be: write the bytes that all guests may take together`);
    }
    if (!Number.isInteger(cores) || cores < 1 || cores > MOST_CORES) {
      throw new OptionError(`cores ${cores} cannot be: write a whole number from 1 to ${MOST_CORES}`);
    }
    this.memory = memory;
    this.cores = cores;
    if (typeof SharedArrayBuffer !== "undefined") this.#shares = new CpuShares(cores);
    this.#host = host;
  }

  /** Guests by name, in the order in which they were created. */
  get guests(): ReadonlyMap<string, HostedGuest<Config>> {
    return this.#guests;
  }

  /** Bytes set aside for the guests that there are. */
  get reserved(): number {
    let sum = 0;
    for (const bytes of this.#reserved.values()) sum += bytes;
    return sum;
  }

  /**
   * A new guest, not started yet. Its memory is set aside until it is destroyed.
   * @param id letters, digits, ".", "_" and "-", at most 64.
   * @throws OptionError if there is one of that name or it can be none; HostError if its memory does not fit.
   */
  create(id: string, config: Config): HostedGuest<Config> {
    if (this.#isClosed) throw new HostError("the hypervisor is closed: make another");
    checkGuestName(id);
    if (this.#guests.has(id)) throw new OptionError(`there is a guest ${id}: choose another name, or destroy it first`);
    const bytes = this.#host.bytesOf(config);
    const left = this.memory - this.reserved;
    if (bytes > left) {
      throw new HostError(
        `guest ${id} needs ${mib(bytes)}, and ${mib(Math.max(left, 0))} of ${mib(this.memory)} are left: ` +
          "give it less memory, destroy another guest, or let the hypervisor have more",
      );
    }
    const guest = new HostedGuest(id, config, {
      startWorker: () => this.#host.startGuestWorker(),
      connect: (lan) => this.#connect(lan),
      takeShare: () => {
        const place = this.#shares?.take();
        return {
          place,
          release: () => {
            if (place !== undefined) this.#shares?.release(place);
          },
        };
      },
      emit: (event) => this.#emit(event),
      released: () => {
        this.#guests.delete(id);
        this.#reserved.delete(id);
      },
    });
    this.#guests.set(id, guest);
    this.#reserved.set(id, bytes);
    return guest;
  }

  /** The guest of that name. @throws OptionError if there is none. */
  get(id: string): HostedGuest<Config> {
    const guest = this.#guests.get(id);
    if (guest === undefined) throw new OptionError(`there is no guest ${id}: create it first`);
    return guest;
  }

  /** Adds a listener for what happens to guests; the result removes it. */
  onEvent(listener: (event: GuestEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Destroys all guests. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#guests.values()].map((guest) => guest.destroy()));
    this.#switches?.terminate();
    this.#switches = undefined;
  }

  #emit(event: GuestEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #connect(lan: string): { port: PortLike; disconnect(): void } {
    const switches = this.#startSwitches();
    const [port, other] = this.#host.createPorts();
    const link = this.#nextLink++;
    const tell = (command: SwitchCommand, transfer?: PortLike[]) => switches.channel.post(command, transfer);
    tell({ type: "connect", link, lan, port: other }, [other]);
    return { port, disconnect: () => tell({ type: "disconnect", link }) };
  }

  #startSwitches(): WorkerHandle {
    if (this.#switches !== undefined) return this.#switches;
    const worker = this.#host.startSwitchWorker();
    worker.onFailure((error) => {
      if (this.#switches === worker) this.#switches = undefined;
      for (const guest of this.#guests.keys()) {
        this.#emit({
          type: "notice",
          guest,
          message: `the switches failed (${error.message}): boot guests on them anew`,
        });
      }
    });
    this.#switches = worker;
    return worker;
  }
}
