// Runs a bare-metal program on our engine, with nothing of a guest around it: no devices
// attached, no event loop, a call of run() after the other.
import { readFileSync } from "node:fs";
import { Exit } from "../../assembly/abi/exit.ts";
import { BootMode, ClockMode, Tier as EngineTier, Gpa } from "../../assembly/abi/layout.ts";
import { Engine, type EngineConfig } from "../../src/engine/engine.ts";
import { idleHost } from "../../src/engine/idle-host.ts";
import { readElf } from "../../src/image/elf.ts";
import { parseCpu } from "../../src/machine/cpu.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { ownCpu } from "./cpu-time.ts";

const RAM_BYTES = 64 << 20;
/** Instructions in a call of run(), as the library's loop has it (src/guest/run-loop.ts). */
export const SLICE = 50_000_000;
const MACHINE_MODE = 3;
const TICKS_PER_MS = 10_000;
/** The kernels leave their checksum in the second doubleword of RAM (kernels/start.S). */
const CHECKSUM = Gpa.RAM + 8;

/** What runs guest code: the interpreter alone, or whatever the engine chooses. */
export type Tier = "interpreter" | "auto";

export interface BareMetalOptions {
  /** CPU time after which the run has failed. */
  limitSeconds: number;
  /** Default: auto. Until there is a translator both are the interpreter. */
  tier?: Tier;
}

export interface BareMetalRun {
  cpu: number;
  instructions: number;
  checksum: string;
  /** What the program wrote to the UART. */
  output: string;
}

const CONFIG: EngineConfig = {
  ramBytes: RAM_BYTES,
  harts: 1,
  extensions: parseCpu("rv64"),
  clock: ClockMode.HOST,
  boot: BootMode.FIRMWARE,
  wallBase: 0n,
  seed: 1n,
  virtualRate: 10,
  tier: EngineTier.AUTO,
  codeCache: 16 << 20,
};

const TIERS = { auto: EngineTier.AUTO, interpreter: EngineTier.INTERPRETER };

/** An engine with nothing behind its disks, whose UART goes to `put`. */
export async function emptyMachine(put: (text: string) => void): Promise<Engine> {
  const module = await nodePlatform.loadModule("engine");
  const start = performance.now();
  return Engine.create(module, RAM_BYTES, (bytes) => ({
    ...idleHost,
    now: () => Math.floor((performance.now() - start) * TICKS_PER_MS),
    consoleOut: (_port, address, length) => put(String.fromCharCode(...bytes.subarray(address, address + length))),
    entropy: (address, length) => bytes.fill(0, address, address + length),
  }));
}

/** An engine with the program loaded, and its hart at the program's entry. */
export async function loadBareMetal(
  path: string,
  { tier = "auto", put = () => {} }: { tier?: Tier; put?: (text: string) => void },
): Promise<Engine> {
  const engine = await emptyMachine(put);
  engine.reset({ ...CONFIG, tier: TIERS[tier] });
  const { segments, entry } = readElf(readFileSync(path), path);
  for (const { gpa, bytes, size } of segments) {
    const target = engine.physical(gpa, size);
    if (target === undefined) throw new Error(`${path} does not fit into ${RAM_BYTES >> 20} MiB`);
    target.set(bytes);
  }
  engine.exports.startHart(0, BigInt(entry), 0n, 0n, 0n, MACHINE_MODE);
  return engine;
}

export async function runBareMetal(path: string, { limitSeconds, tier }: BareMetalOptions): Promise<BareMetalRun> {
  let output = "";
  const put = (text: string) => {
    output += text;
  };
  const engine = await loadBareMetal(path, { tier, put });

  const start = ownCpu();
  let exit = Exit.BUDGET;
  while (exit === Exit.BUDGET) {
    // A turn as long as the library's: compiled code replaces baseline code between calls.
    for (let i = 0; i < 64 && exit === Exit.BUDGET; i++) exit = engine.exports.run(SLICE);
    if (ownCpu() - start > limitSeconds * 1000) throw new Error(`${path} did not end within ${limitSeconds} s`);
  }
  const cpu = ownCpu() - start;
  if (exit !== Exit.POWER_OFF) throw new Error(`${path} ended with exit ${exit}, not by power-off`);
  const checksum = engine.physical(CHECKSUM, 8);
  if (checksum === undefined) throw new Error("the checksum lies outside RAM");
  return {
    cpu,
    instructions: engine.exports.retired(),
    checksum: Buffer.from(checksum).reverse().toString("hex"),
    output,
  };
}
