// One guest of a hypervisor, seen from the thread that manages it: its state, and calls to the worker
// that it runs in. The worker is there from boot to end; the guest, its name and its memory's
// reservation until it is destroyed.
import { type GuestCrash, GuestStateError, HostError, OptionError } from "../errors.ts";
import type { ExitInfo } from "../guest/exit-info.ts";
import type { BudgetChange } from "../hypercall/policy.ts";
import type { CallRefusal } from "../hypercall/refusals.ts";
import type { CallAnswer, CallArguments, CallName, GuestStatistics, HostedExecOptions } from "./calls.ts";
import type { Channel, Movable, PortLike } from "./channel.ts";
import type { SharePlace } from "./cpu-shares.ts";
import type { FromWorker, HostedConfig, ToWorker } from "./guest-worker.ts";
import type { News } from "./outbox.ts";
import { fromWire } from "./wire-error.ts";

/**
 * - `created`: has a name and memory set aside; not started yet
 * - `booting`: its worker makes the machine
 * - `running`, `paused`
 * - `stopping`: was asked to switch itself off
 * - `stopped`: switched off; can be booted again
 * - `crashed`: its kernel panicked or its worker failed; can be booted again
 * - `destroyed`: gone
 */
export type GuestState =
  | "created"
  | "booting"
  | "running"
  | "paused"
  | "stopping"
  | "stopped"
  | "crashed"
  | "destroyed";

/** How a guest's last run ended. */
export interface GuestEnd {
  exit?: ExitInfo;
  /** GuestCrash if the guest failed, HostError if its worker did. */
  error?: GuestCrash | Error;
}

export type GuestEvent =
  | ({ type: "state"; guest: string; state: GuestState; previous: GuestState } & GuestEnd)
  /** Output of its consoles. `lost` bytes before it came faster than they were read. */
  | { type: "console"; guest: string; bytes: Uint8Array; lost: number }
  | { type: "notice"; guest: string; message: string }
  /** A hypercall was refused: an audit record. */
  | { type: "refusal"; guest: string; refusal: CallRefusal }
  /** The guest restarted itself. */
  | { type: "reset"; guest: string };

/** A worker of its own, however the host makes one. */
export interface WorkerHandle {
  channel: Channel;
  /** Calls `listener` once if the worker fails, or ends without being told to. */
  onFailure(listener: (error: Error) => void): void;
  terminate(): void;
}

export interface HostedGuestParts<Config extends HostedConfig> {
  startWorker(): WorkerHandle;
  /** Connects a network device to the switch of this name; the port is for the worker. `disconnect` is for the guest's end. */
  connect(lan: string): { port: PortLike; disconnect(): void };
  /** A part in the sharing out of processor time, until the guest's run is over. */
  takeShare(): { place: SharePlace | undefined; release(): void };
  emit(event: GuestEvent): void;
  /** It is destroyed: its name and its memory are free. */
  released(guest: HostedGuest<Config>): void;
}

const CAN_BOOT: readonly GuestState[] = ["created", "stopped", "crashed"];
const IS_UP: readonly GuestState[] = ["running", "paused"];
/** Bytes of console output that are kept to be looked at. */
const TAIL = 0x1_0000;
/** How much longer than its grace a guest's worker may take to end it, in ms. */
const PATIENCE = 5000;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class HostedGuest<Config extends HostedConfig = HostedConfig> {
  readonly id: string;
  readonly config: Config;
  readonly #parts: HostedGuestParts<Config>;
  #state: GuestState = "created";
  #last: GuestEnd | undefined;
  #worker: WorkerHandle | undefined;
  /** What this run took and has to give back. */
  #releases: (() => void)[] = [];
  #calls = new Map<number, Waiting>();
  #nextCall = 0;
  /** Whoever waits for the end of this run. */
  #ends: ((end: GuestEnd) => void)[] = [];
  #tail = new Uint8Array(0);
  /** Changes of state come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Use Hypervisor.create(). */
  constructor(id: string, config: Config, parts: HostedGuestParts<Config>) {
    this.id = id;
    this.config = config;
    this.#parts = parts;
  }

  get state(): GuestState {
    return this.#state;
  }

  /** How the last run ended; undefined before the first end. */
  get lastEnd(): GuestEnd | undefined {
    return this.#last;
  }

  /** The last 64 KiB of its consoles' output. */
  get consoleTail(): Uint8Array {
    return this.#tail;
  }

  /**
   * Starts it in a worker of its own.
   * @throws GuestStateError unless it is created, stopped or crashed; what createGuest() throws if its options cannot work.
   */
  boot(): Promise<void> {
    return this.#inTurn(() => this.#boot());
  }

  /** Stops the guest, and its time, until resume(). @throws GuestStateError unless it is running. */
  pause(): Promise<void> {
    return this.#inTurn(async () => {
      this.#require(["running"], "be paused");
      await this.#call("pause");
      this.#set("paused");
    });
  }

  /** @throws GuestStateError unless it is paused. */
  resume(): Promise<void> {
    return this.#inTurn(async () => {
      this.#require(["paused"], "be resumed");
      await this.#call("resume");
      this.#set("running");
    });
  }

  /**
   * Switches it off: in good order if it runs commands, else as if its plug were pulled. What it has flushed is on its disks.
   * @param grace ms that it may take before its plug is pulled.
   * @throws GuestStateError unless it is running or paused.
   */
  stop(grace = 10_000): Promise<GuestEnd> {
    return this.#inTurn(() => this.#stop(grace));
  }

  /** Pulls its plug and starts it anew, as the reset button does. @throws GuestStateError unless it is up. */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      this.#require(IS_UP, "be reset");
      await this.#pullPlug();
      await this.#boot();
    });
  }

  /** Ends it if it is up, and forgets it: its name and its memory are free. */
  destroy(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state === "destroyed") return;
      if (this.#worker !== undefined) await this.#pullPlug();
      this.#set("destroyed");
      this.#parts.released(this);
    });
  }

  /** Resolves at the end of the run under way, however it ends. @throws GuestStateError if it is not up. */
  wait(): Promise<GuestEnd> {
    if (this.#worker === undefined) return Promise.reject(this.#refusal("be waited for", ["running", "paused"]));
    return new Promise((resolve) => this.#ends.push(resolve));
  }

  /** Resolves when it can run commands. Needs `exec: true`. */
  ready(): Promise<void> {
    return this.#ask("ready");
  }

  /** Runs `/bin/sh -c command` in it: see Guest.exec(). */
  exec(command: string, options: HostedExecOptions = {}): Promise<CallAnswer<"exec">> {
    return this.#ask("exec", command, options);
  }

  /** Queues input for its console. */
  write(data: string | Uint8Array): Promise<void> {
    return this.#ask("write", typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Tells it the terminal's size. */
  resize(columns: number, rows: number): Promise<void> {
    return this.#ask("resize", columns, rows);
  }

  /** Exits so far by cause. */
  counters(): Promise<CallAnswer<"counters">> {
    return this.#ask("counters");
  }

  statistics(): Promise<GuestStatistics> {
    // The worker knows its times itself.
    return this.#ask("statistics", { busy: 0, ran: 0, heldBack: 0 });
  }

  /** Bytes in pages of its RAM that are not all zeros: looks at every page. */
  memoryUsed(): Promise<number> {
    return this.#ask("memoryUsed");
  }

  /** Asks it to give `bytes` of its RAM up. Needs `balloon: true`. */
  setBalloon(bytes: number): Promise<void> {
    return this.#ask("setBalloon", bytes);
  }

  /** Asks it how it uses its memory. Needs `balloon: true`. */
  memoryStats(): Promise<CallAnswer<"memoryStats">> {
    return this.#ask("memoryStats");
  }

  /** Asks it to have `bytes` more than its RAM. Needs `hotplugMemory`. */
  setHotplugMemory(bytes: number): Promise<void> {
    return this.#ask("setHotplugMemory", bytes);
  }

  /** Gives a device another budget while it runs: see Guest.changeBudget(). */
  changeBudget(device: string, change: BudgetChange): Promise<void> {
    return this.#ask("changeBudget", device, change);
  }

  /** Gives a virtio disk another size. */
  resizeDisk(disk: number, bytes: number): Promise<void> {
    return this.#ask("resizeDisk", disk, bytes);
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(step);
    this.#turn = done.catch(() => {});
    return done;
  }

  #set(state: GuestState, end: GuestEnd = {}): void {
    const previous = this.#state;
    this.#state = state;
    this.#parts.emit({ type: "state", guest: this.id, state, previous, ...end });
  }

  #refusal(what: string, states: readonly GuestState[]): GuestStateError {
    const wanted = states.length > 1 ? `${states.slice(0, -1).join(", ")} or ${states.at(-1)}` : states[0];
    return new GuestStateError(`guest ${this.id} is ${this.#state}: it can ${what} when it is ${wanted}`);
  }

  #require(states: readonly GuestState[], what: string): void {
    if (!states.includes(this.#state)) throw this.#refusal(what, states);
  }

  async #boot(): Promise<void> {
    this.#require(CAN_BOOT, "be booted");
    const before = this.#state;
    const share = this.#parts.takeShare();
    this.#set("booting");
    const links = (this.config.nets ?? []).flatMap(({ switch: lan }) =>
      lan === undefined ? [] : [this.#parts.connect(lan)],
    );
    this.#releases = [...links.map(({ disconnect }) => disconnect), share.release];
    const worker = this.#parts.startWorker();
    this.#worker = worker;
    const ports = links.map(({ port }) => port);
    try {
      await new Promise<void>((resolve, reject) => {
        worker.channel.listen((message) => this.#receive(message as FromWorker, resolve, reject));
        worker.onFailure((error) => {
          const failure = new HostError(`guest ${this.id}: its worker failed: ${error.message}`, { cause: error });
          reject(failure);
          this.#ended(worker, { error: failure });
        });
        this.#sendConfig(ports, share.place);
      });
    } catch (error) {
      this.#forgetWorker();
      if (this.#state === "booting") this.#set(before);
      throw error;
    }
    if (this.#state === "booting") this.#set("running");
  }

  #sendConfig(ports: PortLike[], share: SharePlace | undefined): void {
    try {
      this.#post({ type: "boot", config: this.config, ports, share }, ports);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new OptionError(
        `guest ${this.id}: its options go to a worker, so they have to be plain data: ${said} Name files by their paths`,
        { cause },
      );
    }
  }

  async #stop(grace: number): Promise<GuestEnd> {
    this.#require(IS_UP, "be stopped");
    // A guest that stands still cannot switch itself off.
    if (this.#state === "paused") await this.#call("resume");
    this.#set("stopping");
    return this.#endBy("powerOff", grace);
  }

  #pullPlug(): Promise<GuestEnd> {
    return this.#endBy("close", 0);
  }

  /** Asks for the end, and makes one if none comes. */
  async #endBy(name: "powerOff" | "close", grace: number): Promise<GuestEnd> {
    const worker = this.#worker;
    if (worker === undefined) return this.#last ?? {};
    const end = this.wait();
    const late = setTimeout(() => {
      const error = new HostError(`guest ${this.id}: its worker did not end it within ${grace + PATIENCE} ms`);
      this.#ended(worker, { error });
    }, grace + PATIENCE);
    if (name === "close") this.#call("close").catch(() => {});
    else this.#call("powerOff", grace).catch(() => {});
    return end.finally(() => clearTimeout(late));
  }

  #post(message: ToWorker, transfer?: readonly Movable[]): void {
    this.#worker?.channel.post(message, transfer);
  }

  #ask<Name extends CallName>(name: Name, ...args: CallArguments<Name>): Promise<CallAnswer<Name>> {
    if (!IS_UP.includes(this.#state)) return Promise.reject(this.#refusal("do that", IS_UP));
    return this.#call(name, ...args);
  }

  #call<Name extends CallName>(name: Name, ...args: CallArguments<Name>): Promise<CallAnswer<Name>> {
    return new Promise((resolve, reject) => {
      const id = this.#nextCall++;
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#post({ type: "call", id, name, args });
    });
  }

  #receive(message: FromWorker, booted: () => void, failed: (error: Error) => void): void {
    switch (message.type) {
      case "booted":
        booted();
        break;
      case "failed":
        failed(fromWire(message.error));
        break;
      case "answer":
        this.#takeCall(message.id)?.resolve(message.value);
        break;
      case "refusal":
        this.#takeCall(message.id)?.reject(fromWire(message.error));
        break;
      case "news":
        this.#tell(message);
        this.#post({ type: "read" });
        break;
      case "ended":
        if (this.#worker === undefined) break;
        this.#ended(this.#worker, { exit: message.exit, error: message.error && fromWire(message.error) });
        break;
    }
  }

  #takeCall(id: number): Waiting | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  #tell({ console: bytes, consoleLost: lost, notices, noticesLost, resets, refusals }: News): void {
    const guest = this.id;
    for (const message of notices) this.#parts.emit({ type: "notice", guest, message });
    if (noticesLost > 0) this.#parts.emit({ type: "notice", guest, message: `${noticesLost} more like these` });
    for (const refusal of refusals) this.#parts.emit({ type: "refusal", guest, refusal });
    for (let n = 0; n < resets; n++) this.#parts.emit({ type: "reset", guest });
    if (bytes.length === 0) return;
    const tail = new Uint8Array(Math.min(TAIL, this.#tail.length + bytes.length));
    const kept = Math.max(tail.length - bytes.length, 0);
    tail.set(this.#tail.subarray(this.#tail.length - kept));
    tail.set(bytes.subarray(Math.max(bytes.length - tail.length, 0)), kept);
    this.#tail = tail;
    this.#parts.emit({ type: "console", guest, bytes, lost });
  }

  /** The run of `worker` is over. */
  #ended(worker: WorkerHandle, end: GuestEnd): void {
    if (this.#worker !== worker) return;
    this.#forgetWorker();
    this.#last = end;
    const error = end.error ?? new GuestStateError(`guest ${this.id} has ended: what it was asked for did not come`);
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(error);
    this.#set(end.error === undefined ? "stopped" : "crashed", end);
    const ends = this.#ends;
    this.#ends = [];
    for (const tell of ends) tell(end);
  }

  #forgetWorker(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const release of this.#releases) release();
    this.#releases = [];
  }
}
