// The two machines under comparison. Both get the same RAM image, are entered in M-mode at
// 0x8000_0000, run until the guest writes to the test finisher, and hand back their RAM: ours
// from linear memory, QEMU's from the file that backs it.
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Exit } from "../../../assembly/abi/exit.ts";
import { Ext } from "../../../assembly/abi/ext.ts";
import { BootMode, ClockMode, Gpa, type Irqchip, Layout, Tier } from "../../../assembly/abi/layout.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { idleHost } from "../../../src/engine/idle-host.ts";
import { ALL_EXTENSIONS } from "../../../src/machine/cpu.ts";
import { built, QEMU_SYSTEM } from "./requirements.ts";

export const RAM_BYTES = 64 << 20;

let compiled: WebAssembly.Module | undefined;

export function compiledEngine(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(built("engine.wasm")));
  return compiled;
}

export interface EngineOptions {
  extensions?: bigint;
  /** Guest RAM; linear memory can be larger. */
  ramBytes?: number;
  /** Counts what translated regions do (src/engine/regions.ts). */
  logRegions?: boolean;
  /** Tier.TRANSLATOR translates whatever runs twice; it begins to run when a call of run() has ended. */
  tier?: Tier;
  /** Bytes of host memory for translated code. */
  codeCache?: number;
  /** Default: as firmware, in M-mode. A kernel enters in S-mode, with the hypervisor behind its calls. */
  boot?: BootMode;
  /** Default: Irqchip.PLIC. */
  irqchip?: Irqchip;
  /** Default: 1, which is the one that starts. */
  harts?: number;
  /** Fills what the host is asked for at random. Default: zeros. */
  entropy?(bytes: Uint8Array): void;
}

/** Our engine, reset, with `image` at the start of RAM. */
export function startEngine(image: Uint8Array, options: EngineOptions = {}): Engine {
  let ticks = 0;
  const host = (memory: Uint8Array) => ({
    ...idleHost,
    now: () => ++ticks,
    entropy: (at: number, length: number) => options.entropy?.(memory.subarray(at, at + length)),
  });
  const engine = Engine.create(compiledEngine(), RAM_BYTES, host, { logRegions: options.logRegions });
  resetEngine(engine, image, options);
  return engine;
}

/** The same for an engine that has run something else. */
export function resetEngine(engine: Engine, image: Uint8Array, options: EngineOptions = {}): void {
  engine.reset({
    ramBytes: options.ramBytes ?? RAM_BYTES,
    harts: options.harts ?? 1,
    extensions: options.extensions ?? ALL_EXTENSIONS,
    clock: ClockMode.HOST,
    boot: options.boot ?? BootMode.FIRMWARE,
    wallBase: 0n,
    seed: 1n,
    virtualRate: 10,
    tier: options.tier ?? Tier.AUTO,
    codeCache: options.codeCache ?? 16 << 20,
    irqchip: options.irqchip,
  });
  engine.bytes.set(image, Layout.RAM);
  engine.exports.startHart(0, BigInt(Gpa.RAM), 0n, 0n, 0n, options.boot === BootMode.PARAVIRT ? 1 : 3);
}

/** Steps after which a program counts as stuck. */
const MOST_STEPS = 50_000_000;

/** Runs `image` on our engine; the first `image.length` bytes of its RAM at power-off. */
export function runEngine(image: Uint8Array, options: EngineOptions = {}): Uint8Array {
  const engine = startEngine(image, options);
  // Translated code is installed between runs.
  const budget = options.tier === Tier.TRANSLATOR ? 2000 : 1_000_000;
  for (let steps = 0; steps < MOST_STEPS; steps += budget) {
    const exit = engine.exports.run(budget);
    if (exit === Exit.POWER_OFF) return engine.bytes.subarray(Layout.RAM, Layout.RAM + image.length);
    if (exit === Exit.BUDGET) continue;
    const at = (n: number) => `0x${BigInt.asUintN(64, engine.exports.getReg(0, n)).toString(16)}`;
    const [mcause, mepc, mtval] = [0x1342, 0x1341, 0x1343].map(at);
    throw new Error(`the engine ended with exit ${exit}, pc ${at(32)} mcause ${mcause} mepc ${mepc} mtval ${mtval}`);
  }
  throw new Error(`the engine did not end; pc 0x${engine.exports.getReg(0, 32).toString(16)}`);
}

/** QEMU's name for what our processor has, as far as QEMU 7.2 knows it. */
export function qemuCpu(extensions = ALL_EXTENSIONS): string {
  const names: [Ext, string][] = [
    [Ext.C, "c"],
    [Ext.ZBA, "zba"],
    [Ext.ZBB, "zbb"],
    [Ext.ZBS, "zbs"],
    [Ext.SVINVAL, "svinval"],
    [Ext.SVNAPOT, "svnapot"],
    [Ext.SVPBMT, "svpbmt"],
    [Ext.SSTC, "sstc"],
    [Ext.ZKR, "zkr"],
    [Ext.SMAIA, "x-smaia"],
    [Ext.SSAIA, "x-ssaia"],
  ];
  const settings = names.map(([bit, name]) => `${name}=${((extensions >> BigInt(bit)) & 1n) === 1n}`);
  // QEMU 7.2 has mseccfg, in which Zkr has its bits, with its Smepmp alone.
  return ["rv64", ...settings, "x-epmp=true", "zbc=false", "h=false"].join(",");
}

/** Runs `image` on QEMU; the first `image.length` bytes of its RAM at power-off. */
export function runQemu(image: Uint8Array, extensions = ALL_EXTENSIONS, seconds = 120, machine = "virt"): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "paravane-qemu-"));
  try {
    const ram = join(folder, "ram");
    writeFileSync(ram, image);
    truncateSync(ram, RAM_BYTES);
    const memory = `memory-backend-file,id=ram,size=${RAM_BYTES >> 20}M,mem-path=${ram},share=on`;
    const args = ["-machine", `${machine},memory-backend=ram`, "-object", memory, "-m", `${RAM_BYTES >> 20}M`];
    const rest = ["-bios", "none", "-display", "none", "-monitor", "none", "-serial", "none", "-nodefaults"];
    const { error, status, stderr } = spawnSync(QEMU_SYSTEM, [...args, ...rest, "-cpu", qemuCpu(extensions)], {
      stdio: ["ignore", "ignore", "pipe"],
      timeout: seconds * 1000,
      encoding: "utf8",
    });
    if (error || status !== 0) throw new Error(`QEMU ended with ${status}: ${stderr}`, { cause: error });
    const result = new Uint8Array(image.length);
    const file = openSync(ram, "r");
    readSync(file, result, 0, result.length, 0);
    closeSync(file);
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
