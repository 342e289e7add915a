// A guest: a machine, the loop that runs it, and what the caller sees of both.
import { Exit } from "../../assembly/abi/exit.ts";
import { Machine } from "../../assembly/abi/layout.ts";
import { Timebase } from "../../assembly/abi/memory-map.ts";
import { RegionLog } from "../../assembly/abi/translated.ts";
import type { DiskBackend } from "../backend/disk.ts";
import type { EntropySource } from "../backend/entropy.ts";
import { Engine } from "../engine/engine.ts";
import { type ExitCount, readExitCounters } from "../engine/exit-counters.ts";
import { type EngineHost, Register } from "../engine/exports.ts";
import type { Inspect } from "../engine/inspect.ts";
import { readRegions, type TranslatedRegion } from "../engine/regions.ts";
import { AgentError, ExecError, type GuestCrash, HostError, OptionError, ParavaneError } from "../errors.ts";
import { HostCalls } from "../hypercall/host-calls.ts";
import { type BudgetChange, parseBudgetChange } from "../hypercall/policy.ts";
import { Refusals, refusalCount } from "../hypercall/refusals.ts";
import type { Grants } from "../hypercall/resolve-policy.ts";
import {
  type BudgetUse,
  changeBudget,
  devicesToEmulate,
  readBudgets,
  writeBudgets,
  writeGrants,
} from "../hypercall/table.ts";
import type { Symbols } from "../image/elf-symbols.ts";
import { GuestClock } from "./clock.ts";
import { closeAll } from "./close-all.ts";
import { ConsolePorts, consoleKindOf, SERIAL_PORT, virtioPort } from "./console-ports.ts";
import type { CpuTurns } from "./cpu-turns.ts";
import { doubleFaultCrash, panicCrash } from "./crash.ts";
import { type CustomDeviceHandle, CustomDevices } from "./custom-devices.ts";
import { DeadKernel } from "./dead-kernel.ts";
import { Disks } from "./disks.ts";
import { emulateDevices } from "./emulate.ts";
import { engineHost, virtioReach } from "./engine-host.ts";
import { type ExecOptions, type ExecResult, Executor } from "./exec.ts";
import type { ExitInfo } from "./exit-info.ts";
import { type GuestConsole, type GuestPort, guestConsole, guestPort } from "./guest-console.ts";
import { type MachinePlan, powerOn, VSOCK_INSTANCE } from "./machine.ts";
import { GuestMemory, type MemoryStats, type MemoryUsage } from "./memory.ts";
import { Nets } from "./nets.ts";
import type { ConsoleKind, GuestOptions } from "./options.ts";
import type { PanicWatch } from "./panic.ts";
import type { Platform } from "./platform.ts";
import { type AgentOnPort, agentOnPort } from "./qemu-agent/agent-port.ts";
import type { QemuAgent } from "./qemu-agent/qemu-agent.ts";
import { type Driven, RunLoop } from "./run-loop.ts";
import { Shares } from "./shares.ts";
import { VsockDevice } from "./vsock-device.ts";

export type { GuestConsole, GuestPort };

/** What create.ts puts together. */
export interface GuestParts {
  platform: Platform;
  module: WebAssembly.Module;
  inspect: Inspect;
  plan: MachinePlan;
  console: ConsoleKind;
  virtualClock: boolean;
  entropy: EntropySource;
  exec: boolean;
  /** Disks in front of the caller's own, by which the guest boots. */
  bootDisks: number;
  logRegions: boolean;
  cpuTurns: CpuTurns | undefined;
  /** Of the ELF files that the guest starts from. */
  symbols: Symbols | undefined;
  onNotice(message: string): void;
  onReset(): void;
  onOutput: GuestOptions["onOutput"];
  onRefusal: GuestOptions["onRefusal"];
}

const NO_SYMBOLS: Symbols = { low: new Uint32Array(), high: new Uint32Array(), names: [] };

/** The CSR `time`, as getReg numbers it. */
const TIME = Register.CSR + 0xc01;

const PAUSED = "paused by the caller";
const AWAITS_HYPERCALL = "a hypercall's handler is not done";

export class Guest {
  readonly console: GuestConsole;
  readonly #parts: GuestParts;
  readonly #engine: Engine;
  /** Absent with the virtual clock. */
  readonly #clock: GuestClock | undefined;
  readonly #loop: RunLoop;
  readonly #ports: ConsolePorts;
  readonly #disks: Disks;
  readonly #devices: CustomDevices;
  #grants: Grants;
  readonly #hypercalls: HostCalls;
  readonly #refusals: Refusals | undefined;
  readonly #nets: Nets;
  readonly #shares: Shares;
  readonly #vsock: VsockDevice | undefined;
  readonly #memory: GuestMemory;
  readonly #kernel: DeadKernel;
  readonly #executor: Executor | undefined;
  readonly #agent: AgentOnPort | undefined;
  readonly #listeners = new Set<(bytes: Uint8Array, port: number) => void>();
  readonly #ended: Promise<ExitInfo>;
  #end!: (info: ExitInfo) => void;
  #fail!: (error: unknown) => void;
  #isOver = false;

  /** Use createGuest(). */
  constructor(parts: GuestParts) {
    this.#parts = parts;
    const { platform, plan, virtualClock } = parts;
    this.#clock = virtualClock ? undefined : new GuestClock(() => platform.now());
    const backends: DiskBackend[] = [...plan.disks.map((disk) => disk.backend), ...plan.pmem];

    this.#ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    // Whoever waits sees the error; a caller who never does is not to be killed by it.
    this.#ended.catch(() => {});

    const { harts } = plan.config;
    this.#kernel = new DeadKernel({ harts, engine: () => this.#engine, ticks: () => this.#ticks() });
    this.#ports = new ConsolePorts((bytes, port) => {
      this.#kernel.see(bytes);
      for (const listener of this.#listeners) listener(bytes, port);
    });
    this.#disks = new Disks(backends, virtualClock, {
      notice: (message) => parts.onNotice(message),
      done: (backend, tag, status) => {
        this.#engine.exports.diskDone(backend, tag, status);
        this.#loop.wake();
      },
    });
    this.#devices = new CustomDevices(plan.devices, {
      interrupt: (index, level) => {
        if (this.#isOver) return;
        this.#engine.exports.customInterrupt(index, level ? 1 : 0);
        this.#loop.wake();
      },
      ticks: () => this.ticks,
      virtio: (index) =>
        virtioReach(index, plan, {
          engine: () => this.#engine,
          isOver: () => this.#isOver,
          ticks: () => this.ticks,
          wake: () => this.#loop.wake(),
        }),
    });
    this.#grants = plan.grants;
    this.#hypercalls = new HostCalls(plan.grants.hypercalls, () => this.#engine, {
      notice: (message) => parts.onNotice(message),
      wake: () => this.#loop.wake(),
      // On the virtual clock an answer has to come at the same instruction in every run: at the end of this slice.
      wait: (waits) => {
        if (!virtualClock || this.#isOver) return;
        if (waits) this.#loop.hold(AWAITS_HYPERCALL);
        else this.#loop.release(AWAITS_HYPERCALL);
      },
    });
    this.#refusals = parts.onRefusal && new Refusals(parts.onRefusal, () => platform.now());
    this.#nets = new Nets(
      plan.nets.map((net) => net.backend),
      { notice: (message) => parts.onNotice(message), wake: () => this.#loop.wake() },
    );
    this.#shares = new Shares(plan.shares, virtualClock, { wake: () => this.#loop.wake() });
    const reach = { engine: () => this.#engine, platform, wake: () => this.#loop.wake() };
    this.#vsock = plan.vsock && new VsockDevice(plan.vsock, VSOCK_INSTANCE, reach);
    this.#engine = Engine.create(parts.module, plan.config.ramBytes, (bytes) => this.#host(bytes), {
      logRegions: parts.logRegions,
    });
    writeBudgets(this.#engine.view, plan.grants.budgets);
    parts.cpuTurns?.setWeight(plan.grants.cpuWeight);
    this.#loop = new RunLoop(this.#driven(), platform, this.#clock, plan.grants.cpuCap, parts.cpuTurns);
    this.console = guestConsole({
      ...{ kind: parts.console, ports: this.#ports, listeners: this.#listeners, wake: () => this.#loop.wake() },
      resize: (columns, rows) => {
        if (this.#isOver) return;
        this.#engine.exports.consoleResize(columns, rows);
        this.#loop.wake();
      },
    });
    if (parts.exec) {
      this.#executor = new Executor({
        ports: this.#ports,
        loop: this.#loop,
        platform,
        seed: Number(plan.config.seed & 0xffff_ffffn),
        holdBetweenCommands: virtualClock,
      });
    }

    this.#memory = new GuestMemory(this.#engine, plan.memory);
    this.#agent = agentOnPort(plan.ports, { ports: this.#ports, loop: this.#loop, platform });

    this.#powerOn();
    this.#nets.open(
      this.#engine,
      plan.nets.map((net) => net.mtu),
    );
    this.#loop.start();
  }

  /** Resolves when the guest has switched itself off or was closed; rejects with GuestCrash if it crashed. */
  wait(): Promise<ExitInfo> {
    return this.#ended;
  }

  /** Resolves when the guest can run commands. Needs `exec: true`. */
  ready(): Promise<void> {
    return this.#requireExecutor().ready;
  }

  /**
   * Runs `/bin/sh -c command` in the guest. Commands queue up: one runs at a time.
   * @throws ExecError on a timeout, or if the guest ends first.
   */
  exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    return this.#requireExecutor().exec(command, options);
  }

  /**
   * The host's side of a named port.
   * @throws ParavaneError if the guest was created without it.
   */
  port(name: string): GuestPort {
    const port = this.#portNumber(name);
    if (port === undefined) throw new ParavaneError(`this guest has no port ${name}: name it in ports, or as serial`);
    return guestPort(port, { ports: this.#ports, wake: () => this.#loop.wake() });
  }

  /**
   * QEMU's guest agent in the guest. Needs `agent: true`, and qemu-guest-agent running in the guest.
   * @throws ParavaneError without it.
   */
  get agent(): QemuAgent {
    if (this.#agent === undefined) throw new ParavaneError("this guest has no agent: create it with agent: true");
    return this.#agent.agent;
  }

  /** Stops the guest, and its time, until resume(). */
  pause(): void {
    this.#loop.hold(PAUSED);
  }

  resume(): void {
    this.#loop.release(PAUSED);
  }

  get isPaused(): boolean {
    return this.#loop.isHeld(PAUSED);
  }

  /** Bytes of the guest's memory by what they are. */
  memory(): MemoryUsage {
    return this.#memory.usage();
  }

  /**
   * Bytes in pages of RAM and of hotplug memory that are not all zeros: what a snapshot has to hold. Looks at every
   * page, which takes a tenth of a second for 512 MiB.
   */
  memoryUsed(): number {
    return this.#memory.used();
  }

  /**
   * Asks the guest to give `bytes` of its RAM up, in pages of 4 KiB; it does so, or takes back, as it runs: see
   * memory(). Needs `balloon: true` and a driver in the guest.
   */
  setBalloon(bytes: number): void {
    this.#memory.setBalloon(bytes);
    this.#loop.wake();
  }

  /** Asks the guest how it uses its memory. Needs `balloon: true`. @throws ParavaneError while no driver in the guest answers. */
  memoryStats(): Promise<MemoryStats> {
    const answer = this.#memory.stats();
    this.#loop.wake();
    return answer;
  }

  /** Asks the guest to plug or unplug until it has `bytes` more than its RAM, in blocks of 2 MiB. Needs `hotplugMemory`. */
  setHotplugMemory(bytes: number): void {
    this.#memory.setHotplug(bytes);
    this.#loop.wake();
  }

  /**
   * Switches the guest off: in good order if it runs commands, else as if its plug were
   * pulled (what the guest has flushed is on its disks either way).
   * @param grace host milliseconds that a guest may take before its plug is pulled.
   */
  async powerOff(grace = 10_000): Promise<ExitInfo> {
    if (this.#executor?.isReady && !this.#isOver) {
      const cancel = this.#parts.platform.startTimer(grace, () => this.close());
      this.#executor.powerOff();
      return this.#ended.finally(cancel);
    }
    this.close();
    return this.#ended;
  }

  /** Ends the guest: flushes and closes its disks. Can be called again. */
  close(): void {
    if (!this.#isOver) this.#finish({ reason: "closed", status: 0 });
  }

  /**
   * Gives a virtio disk another size while the guest runs. Its driver sees the new capacity
   * at once; what lies past a smaller one is gone, and what a larger one adds reads as zeroes.
   * @param disk its place in the option `disks`, from 0.
   * @param bytes a multiple of 512.
   * @throws OptionError if there is no such disk, or it cannot have that size.
   */
  resizeDisk(disk: number, bytes: number): void {
    if (this.#isOver) throw new ParavaneError("the guest has ended: its disks are closed");
    const number = disk + this.#parts.bootDisks;
    const attached = disk < 0 ? undefined : this.#parts.plan.disks[number];
    if (attached === undefined) throw new OptionError(`there is no disk ${disk}: count them from 0`);
    if (attached.device !== "virtio") {
      throw new OptionError(`disk ${attached.backend.name} is ${attached.device}: attach it as virtio to resize it`);
    }
    this.#disks.resize(number, bytes);
    this.#engine.exports.virtioBlkResize(number, bytes);
    this.#loop.wake();
  }

  /** Instructions that all harts have retired. */
  get instructions(): number {
    return this.#engine.exports.retired();
  }

  /** Guest time in seconds since the start. */
  get seconds(): number {
    return this.#ticks() / Timebase.HZ;
  }

  /** Guest time in 10 MHz ticks at this very moment, also inside onOutput. */
  get ticks(): number {
    return Number(BigInt.asUintN(64, this.#engine.exports.getReg(this.#engine.runningHart, TIME)));
  }

  /** Exits so far by cause: device register or hypercall. */
  counters(): ExitCount[] {
    return readExitCounters(this.#engine.view, this.#parts.inspect).map((count) => this.#devices.named(count));
  }

  /**
   * The device of this name among those given as `devices`: its state, and its interrupt.
   * @throws OptionError if there is none.
   */
  device(name: string): CustomDeviceHandle {
    return this.#devices.get(name);
  }

  /**
   * What the translator has made of the guest's code since its last start, in the order in which it
   * was made; dropped translations too. Can be called after the guest's end. Needs `logRegions: true`.
   * @throws ParavaneError without it.
   */
  regions(): TranslatedRegion[] {
    const { regionSource, view } = this.#engine;
    if (regionSource === undefined) {
      throw new ParavaneError("this guest keeps no log of regions: create it with logRegions: true");
    }
    return readRegions(view, regionSource, this.#parts.inspect);
  }

  /** Translations that regions() does not have because its log is full. */
  get regionsMissing(): number {
    const { regionSource, view } = this.#engine;
    return regionSource === undefined ? 0 : view.getUint32(regionSource.log + RegionLog.LOST, true);
  }

  /** What is left of each budget of the guest's policy, the guest's own first, and what had to wait or was refused for it. */
  budgets(): BudgetUse[] {
    return readBudgets(this.#engine.view, this.#grants.budgets);
  }

  /**
   * Gives a device another budget while the guest runs; it begins full, and holds over resets.
   * @param device "disk0" and on, "net0" and on, or "console", as in a policy.
   * @throws OptionError if there is no such device, or the change is none.
   */
  changeBudget(device: string, change: BudgetChange): void {
    const parsed = parseBudgetChange(device, change);
    this.#requireDevice(device);
    const ticks = BigInt(Math.trunc(this.#ticks()));
    const { view } = this.#engine;
    this.#grants = changeBudget(view, this.#grants, device, parsed, this.#parts.bootDisks, ticks);
    this.#loop.wake();
  }

  /** Hypercalls refused so far, told through onRefusal or not. */
  get refusals(): bigint {
    return refusalCount(this.#engine.view);
  }

  /** Bytes of linear memory that are not guest RAM. */
  get overheadBytes(): number {
    return this.#engine.bytes.length - this.#engine.ramBytes;
  }

  /** Register `index` of a hart, for debuggers: 0-31 x, 32 pc, 33-64 f, 0x1000 + n CSR n. */
  register(hart: number, index: number): bigint {
    return BigInt.asUintN(64, this.#engine.exports.getReg(hart, index));
  }

  #portNumber(name: string): number | undefined {
    const { ports, serial } = this.#parts.plan;
    if (name === serial) return SERIAL_PORT;
    const found = ports.find((port) => port.name === name);
    return found && virtioPort(found.index);
  }

  #portName(port: number): string | undefined {
    const { ports, serial } = this.#parts.plan;
    if (port === SERIAL_PORT) return serial;
    return consoleKindOf(port) ?? ports.find(({ index }) => virtioPort(index) === port)?.name;
  }

  #requireDevice(name: string): void {
    const { plan, bootDisks } = this.#parts;
    const number = Number(/[0-9]+$/.exec(name)?.[0] ?? 0);
    const count = name.startsWith("disk")
      ? plan.disks.length - bootDisks
      : name.startsWith("net")
        ? plan.nets.length
        : 1;
    if (number >= count) throw new OptionError(`the guest has no ${name}: count devices from 0`);
  }

  #requireExecutor(): Executor {
    if (this.#executor === undefined) throw new ParavaneError("this guest runs no commands: create it with exec: true");
    return this.#executor;
  }

  /** Guest time in ticks: the host's clock, or what the instructions so far amount to (assembly/clock.ts). */
  #ticks(): number {
    if (this.#clock) return this.#clock.now();
    const { view } = this.#engine;
    const instructions = view.getBigUint64(Machine.INSTRUCTIONS, true);
    const rate = BigInt(this.#parts.plan.config.virtualRate);
    return Number(instructions / rate + view.getBigUint64(Machine.SKIPPED, true));
  }

  #host(bytes: Uint8Array): EngineHost {
    return engineHost({
      bytes,
      engine: () => this.#engine,
      clock: this.#clock,
      entropy: this.#parts.entropy,
      disks: this.#disks,
      nets: this.#nets,
      shares: this.#shares,
      vsock: this.#vsock,
      devices: this.#devices,
      hypercalls: this.#hypercalls,
      output: (port, output) => this.#output(port, output),
    });
  }

  #powerOn(): void {
    powerOn(this.#engine, this.#parts.plan, (port) => this.#nets.isUp(port));
    writeGrants(this.#engine.view, this.#grants);
  }

  /** Devices that went past their budget are emulated from here on, where the policy says so. */
  #emulateOverBudget(): void {
    const names = devicesToEmulate(this.#engine.view, this.#grants.budgets);
    if (names.length === 0) return;
    const { plan, bootDisks, onNotice } = this.#parts;
    for (const line of emulateDevices(plan, names, bootDisks)) onNotice(line);
  }

  #output(port: number, bytes: Uint8Array): void {
    const { onOutput } = this.#parts;
    if (onOutput) {
      const name = this.#portName(port);
      if (name !== undefined) onOutput(name, bytes);
    }
    this.#ports.put(port, bytes);
  }

  #driven(): Driven {
    const guest = this;
    const engine = this.#engine;
    return {
      deliver: () => {
        const settled = guest.#nets.settle();
        return guest.#ports.deliver(engine) || settled;
      },
      run(budget) {
        const exit = engine.exports.run(budget);
        if (guest.#kernel.suspected && guest.#kernel.isDead(exit)) guest.#crash(panicCrash);
        return exit;
      },
      get deadline() {
        return engine.deadline;
      },
      collect: () => guest.#ports.collect(),
      publish() {
        guest.#memory.arrived();
        guest.#ports.publish();
        guest.#refusals?.look(engine.view);
      },
      get awaitsCompletion() {
        return (
          guest.#disks.pending > 0 || guest.#shares.pending > 0 || guest.#nets.size > 0 || guest.#hypercalls.pending > 0
        );
      },
      handle: (exit) => guest.#handle(exit),
      fail: (error) => guest.#broke(error),
    };
  }

  /** An exit that needs more than another slice. True to go on. */
  #handle(exit: Exit): boolean {
    switch (exit) {
      case Exit.POWER_OFF: {
        const status = this.#engine.exitCode;
        this.#finish({ reason: "power-off", status });
        return false;
      }
      case Exit.RESET:
        this.#ports.publish();
        if (this.#kernel.suspected) {
          this.#crash(panicCrash);
          return false;
        }
        this.#ports.clearInput();
        this.#agent?.connection.restart();
        this.#devices.reset();
        this.#hypercalls.reset();
        this.#nets.reset();
        this.#shares.reset();
        this.#emulateOverBudget();
        this.#powerOn();
        this.#parts.onReset();
        return true;
      case Exit.DOUBLE_FAULT:
        this.#crash(doubleFaultCrash);
        return false;
      default:
        return true;
    }
  }

  #crash(describe: (engine: Engine, inspect: Inspect, watch: PanicWatch) => GuestCrash): void {
    this.#ports.publish();
    const { low, high, names } = this.#parts.symbols ?? NO_SYMBOLS;
    this.#parts.inspect.setSymbols(low, high, names);
    const crash = describe(this.#engine, this.#parts.inspect, this.#kernel.watch);
    this.#finish(crash);
  }

  /** The engine or a backend threw: a bug of ours, or of the caller's code inside a callback. */
  #broke(error: unknown): void {
    if (error instanceof WebAssembly.RuntimeError) {
      const { exports, exitHart } = this.#engine;
      const pc = BigInt.asUintN(64, exports.getReg(exitHart, 32));
      const where = `hart ${exitHart}, pc 0x${pc.toString(16)}, after ${exports.retired()} instructions`;
      error = new HostError(`the engine failed (${error.message}) at ${where}: this is a bug in paravane`, {
        cause: error,
      });
    }
    this.#finish(error instanceof Error ? error : new HostError(String(error)));
  }

  /** Ends everything once: `outcome` is how the guest ended, or the error that ended it. */
  #finish(outcome: ExitInfo | Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#loop.end();
    const failed = outcome instanceof Error;
    const said = failed ? outcome.message : "the guest has ended";
    let error: unknown = failed ? outcome : undefined;
    try {
      this.#ports.collect();
      this.#ports.publish();
      this.#agent?.connection.close(new AgentError(`the guest's agent is gone: ${said}`, { cause: error }));
      this.#executor?.close(new ExecError(`the command did not end: ${said}`, { cause: error }));
      this.#hypercalls.reset();
      this.#memory.end();
      // What was written to persistent memory reaches its disks, as through a mapped file, unless the engine itself failed.
      if (!(error instanceof HostError)) this.#engine.exports.writeBackAll();
      closeAll([this.#vsock, this.#shares, this.#nets, this.#disks]);
    } catch (alsoFailed) {
      error ??= alsoFailed;
    }
    if (error === undefined) this.#end(outcome as ExitInfo);
    else this.#fail(error);
  }
}
