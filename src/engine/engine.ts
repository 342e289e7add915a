// One guest's engine: the compiled module over its linear memory, and the words of that
// memory which host and engine share (assembly/abi/layout.ts, Machine). Hart layout stays
// private behind getReg and setReg.
import type { BootMode, ClockMode, Irqchip, Tier } from "../../assembly/abi/layout.ts";
import { Gpa, Layout, Machine } from "../../assembly/abi/layout.ts";
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { RegionLog } from "../../assembly/abi/translated.ts";
import { HostError } from "../errors.ts";
import type { EngineExports, EngineHost } from "./exports.ts";
import { createMemory } from "./memory.ts";
import { hasTailCalls, translatedCode } from "./translated.ts";

const PAGE_SHIFT = 12;
const NO_DEADLINE = 0xffff_ffff_ffff_ffffn;

/** Bytes of the buffer through which host calls pass text and console input. */
export const SCRATCH_SIZE = 8192;

/** What the machine is, fixed at reset. */
export interface EngineConfig {
  ramBytes: number;
  harts: number;
  /** Bits of Ext (assembly/abi/ext.ts). */
  extensions: bigint;
  clock: ClockMode;
  boot: BootMode;
  /** Nanoseconds since 1970 at guest tick 0. */
  wallBase: bigint;
  seed: bigint;
  /** Instructions for each 10 MHz tick of the virtual clock. */
  virtualRate: number;
  tier: Tier;
  /** Bytes of host memory that translated code may take. */
  codeCache: number;
  /** Default: Irqchip.PLIC. */
  irqchip?: Irqchip;
}

/** What a guest's memory is made for. */
export interface EngineOptions {
  /** Keeps a log of translated regions behind guest RAM, and the modules' bytes. */
  logRegions?: boolean;
}

export class Engine {
  readonly exports: EngineExports;
  readonly ramBytes: number;
  /** All of linear memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The log of translated regions and the modules so far, if they are kept. */
  readonly regionSource: { readonly log: number; readonly modules: Uint8Array[] } | undefined;
  readonly #view: DataView;

  private constructor(
    exports: EngineExports,
    memory: WebAssembly.Memory,
    ramBytes: number,
    regionSource: Engine["regionSource"],
  ) {
    this.regionSource = regionSource;
    this.exports = exports;
    this.ramBytes = ramBytes;
    this.bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  /** Instantiates `module` over new memory. `host` receives the memory's bytes before any call of its functions. */
  static create(
    module: WebAssembly.Module,
    ramBytes: number,
    host: (bytes: Uint8Array) => EngineHost,
    options: EngineOptions = {},
  ): Engine {
    const source = options.logRegions ? { log: Layout.RAM + ramBytes, modules: [] as Uint8Array[] } : undefined;
    const memory = createMemory(ramBytes, source && RegionLog.SIZE);
    let own: EngineExports | undefined;
    const goOn = () => {
      if (own === undefined) throw new HostError("the engine translated code before it was there");
      return own.goOn;
    };
    const imports = {
      env: { memory, abort: unexpectedAbort },
      host: { ...host(new Uint8Array(memory.buffer)) },
      translated: { ...translatedCode(memory, goOn, source && ((bytes) => source.modules.push(bytes))) },
    };
    try {
      own = new WebAssembly.Instance(module, imports).exports as unknown as EngineExports;
      own.warmUp();
      return new Engine(own, memory, ramBytes, source);
    } catch (cause) {
      throw new HostError("the engine's module does not fit this library: run `npm run build` again", { cause });
    }
  }

  /** Writes the configuration and resets harts and devices. */
  reset(config: EngineConfig): void {
    const view = this.#view;
    view.setUint32(Machine.RAM_SIZE, config.ramBytes >>> PAGE_SHIFT, true);
    view.setUint32(Machine.HART_COUNT, config.harts, true);
    view.setBigUint64(Machine.CPU_EXTENSIONS, config.extensions, true);
    view.setUint32(Machine.CLOCK, config.clock, true);
    view.setUint32(Machine.BOOT, config.boot, true);
    view.setBigUint64(Machine.WALL_BASE, config.wallBase, true);
    view.setBigUint64(Machine.SEED, config.seed, true);
    view.setUint32(Machine.VIRTUAL_RATE, config.virtualRate, true);
    view.setUint32(Machine.TIER, config.tier, true);
    view.setUint32(Machine.TAIL_CALLS, hasTailCalls() ? 1 : 0, true);
    view.setUint32(Machine.CODE_CACHE, config.codeCache, true);
    view.setUint32(Machine.IRQCHIP, config.irqchip ?? 0, true);
    view.setUint32(Machine.REGION_LOG, this.regionSource?.log ?? 0, true);
    if (this.regionSource) this.regionSource.modules.length = 0;
    this.exports.reset();
  }

  /** Status that the guest gave with its power-off. */
  get exitCode(): number {
    return this.#view.getUint32(Machine.EXIT_CODE, true);
  }

  /** Hart that caused the last exit. */
  get exitHart(): number {
    return this.#view.getUint32(Machine.EXIT_HART, true);
  }

  /** Hart that runs now, or ran last. */
  get runningHart(): number {
    return this.#view.getUint32(Machine.CURRENT_HART, true);
  }

  /** Tick at which the earliest sleeping hart wants to wake, or Infinity. */
  get deadline(): number {
    const tick = this.#view.getBigUint64(Machine.DEADLINE, true);
    return tick === NO_DEADLINE ? Number.POSITIVE_INFINITY : Number(tick);
  }

  get view(): DataView {
    return this.#view;
  }

  /** `length` bytes of guest memory at guest physical `address`, or undefined if they are not all RAM or all boot ROM. */
  physical(address: number, length: number): Uint8Array | undefined {
    const at = (base: number, size: number, offset: number) =>
      address >= base && address + length <= base + size
        ? this.bytes.subarray(offset + address - base, offset + address - base + length)
        : undefined;
    return (
      at(Gpa.RAM, this.ramBytes, Layout.RAM) ??
      at(PhysicalMap.MROM, PhysicalMap.MROM_SIZE, this.exports.bootRom() >>> 0)
    );
  }

  /** The scratch buffer, filled with `source` (cut to its size); returns what fitted. */
  writeScratch(source: Uint8Array): number {
    const length = Math.min(source.length, SCRATCH_SIZE);
    this.bytes.set(length === source.length ? source : source.subarray(0, length), Machine.SCRATCH);
    return length;
  }
}

/** AssemblyScript's assertions are compiled out; one that fires all the same is a bug of the engine's. */
function unexpectedAbort(_message: number, _file: number, line: number, column: number): never {
  throw new WebAssembly.RuntimeError(`engine assertion at ${line}:${column}`);
}
