// Runs a program on two engines at once, the interpreter and the translator, on the virtual clock, by the same budgets:
// after each of them both must be in the same state, to the bit.
import { readFileSync } from "node:fs";
import { Exit } from "../../../assembly/abi/exit.ts";
import { BootMode, ClockMode, Gpa, HartAt, Layout, Machine, Tier } from "../../../assembly/abi/layout.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { Register } from "../../../src/engine/exports.ts";
import { idleHost } from "../../../src/engine/idle-host.ts";
import { ALL_EXTENSIONS } from "../../../src/machine/cpu.ts";
import { Random } from "../generator/random.ts";
import { built } from "../generator/requirements.ts";
import { build } from "./build.ts";
import { IMAGE_SIZE } from "./map.ts";
import type { Spec } from "./spec.ts";

const RAM_BYTES = 4 << 20;
const CSRS = {
  mstatus: 0x300,
  satp: 0x180,
  mepc: 0x341,
  mcause: 0x342,
  mtval: 0x343,
  mip: 0x344,
  mscratch: 0x340,
  minstret: 0xb02,
};

/** Ends a run early: after run `run`, whose budget is `budget`. */
export interface Stop {
  run: number;
  budget: number;
}

export interface Difference extends Stop {
  /** Steps done when it was noticed. */
  steps: number;
  lines: string[];
}

export interface Result {
  steps: number;
  ended: boolean;
  /** Guest memory of the interpreter's. */
  ram: Uint8Array;
  difference?: Difference;
}

function create(module: WebAssembly.Module): Engine {
  return Engine.create(module, RAM_BYTES, (bytes) => ({
    ...idleHost,
    entropy: (address, length) => bytes.fill(7, address, address + length),
  }));
}

function start(engine: Engine, image: Uint8Array, spec: Spec, tier: Tier): void {
  engine.bytes.fill(0, Layout.RAM + IMAGE_SIZE, Layout.RAM + RAM_BYTES);
  engine.bytes.set(image, Layout.RAM);
  engine.reset({
    ramBytes: RAM_BYTES,
    harts: spec.harts,
    extensions: ALL_EXTENSIONS,
    clock: ClockMode.VIRTUAL,
    boot: BootMode.FIRMWARE,
    wallBase: 0n,
    seed: 1n,
    virtualRate: spec.virtualRate,
    tier,
    codeCache: spec.codeCache,
  });
  for (let h = 0; h < spec.harts; h++) engine.exports.startHart(h, BigInt(Gpa.RAM), BigInt(h), 0n, 0n, 3);
}

/** How many steps run `n` may take: few at first, as nothing is installed before a run ends. */
function budgetOf(random: Random, n: number): number {
  switch (random.below(n < 40 ? 7 : 10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return random.between(1, 50);
    case 4:
    case 5:
    case 6:
      return random.between(1, 700);
    case 7:
    case 8:
      return random.between(1, 5000);
    default:
      return random.between(1, 40_000);
  }
}

export class Lockstep {
  readonly interpreter: Engine;
  readonly translator: Engine;
  /** Regions entered from outside, over all programs. */
  entries = 0;

  constructor(module = new WebAssembly.Module(readFileSync(built("engine.wasm")))) {
    this.interpreter = create(module);
    this.translator = create(module);
  }

  run(spec: Spec, most: number, stop?: Stop): Result {
    const { image } = build(spec);
    start(this.interpreter, image, spec, Tier.INTERPRETER);
    start(this.translator, image, spec, Tier.TRANSLATOR);
    const engines = [this.interpreter, this.translator];
    const random = new Random(spec.budgets);
    const ram = this.interpreter.bytes.subarray(Layout.RAM, Layout.RAM + IMAGE_SIZE);
    let steps = 0;
    for (let n = 0; steps < most; n++) {
      const warm = steps < spec.warmUp;
      this.translator.view.setUint32(Machine.TIER, warm ? Tier.INTERPRETER : Tier.TRANSLATOR, true);
      const planned = warm ? spec.warmUp - steps : budgetOf(random, n);
      const last = n === stop?.run;
      const budget = last ? stop.budget : planned;
      const [ours, theirs] = engines.map((engine) => engine.exports.run(budget));
      steps += budget;
      const ended = ours !== Exit.BUDGET && (ours !== Exit.IDLE || this.interpreter.deadline === Infinity);
      const lines = this.compare(spec.harts, ended || last || n % 8 === 0);
      if (ours !== theirs) lines.unshift(`exit: ${ours}, translated ${theirs}`);
      if (lines.length > 0) return { steps, ended, ram, difference: { steps, run: n, budget, lines } };
      if (last) break;
      if (ended) return { steps, ended: ours === Exit.POWER_OFF, ram };
    }
    return { steps, ended: false, ram };
  }

  /** The first step after which both differ, given what run() found. */
  locate(spec: Spec, most: number, found: Difference): Difference {
    let best = found;
    for (let low = 1; low < best.budget; ) {
      const middle = (low + best.budget) >> 1;
      const { difference } = this.run(spec, most, { run: found.run, budget: middle });
      if (difference?.run === found.run) best = difference;
      else low = middle + 1;
    }
    return best;
  }

  /** Where hart 0 of the interpreter was in the last steps before a difference. */
  trace(spec: Spec, most: number, { run, budget }: Difference): bigint[] {
    const pcs: bigint[] = [];
    for (let n = Math.max(1, budget - 16); n < budget; n++) {
      this.run(spec, most, { run, budget: n });
      pcs.push(this.interpreter.exports.getReg(0, Register.PC));
    }
    return pcs.map((pc) => BigInt.asUintN(64, pc));
  }

  /** What differs between both engines, in words. */
  compare(harts: number, memory: boolean): string[] {
    const [a, b] = [this.interpreter, this.translator];
    const lines: string[] = [];
    const note = (name: string, x: bigint | number, y: bigint | number) => {
      if (x !== y) lines.push(`${name}: ${hex(x)}, translated ${hex(y)}`);
    };
    for (let h = 0; h < harts; h++) {
      const of = (name: string) => (harts === 1 ? name : `hart ${h} ${name}`);
      // Looking at a CSR makes the hart the running one, whose registers lie at their place.
      for (const [name, csr] of Object.entries(CSRS)) {
        note(of(name), a.exports.getReg(h, Register.CSR + csr), b.exports.getReg(h, Register.CSR + csr));
      }
      note(of("mode"), a.exports.getMode(h), b.exports.getMode(h));
      const [x, y] = [a, b].map((engine) => engine.bytes.subarray(HartAt.X, HartAt.STATE));
      if (Buffer.compare(x, y) !== 0) {
        for (let n = 0; n < 65; n++) {
          const name = n < 32 ? `x${n}` : n === 32 ? "pc" : `f${n - 33}`;
          note(of(name), a.exports.getReg(h, n), b.exports.getReg(h, n));
        }
        note(of("fflags"), a.view.getUint32(HartAt.FFLAGS, true), b.view.getUint32(HartAt.FFLAGS, true));
        note(of("frm"), a.view.getUint32(HartAt.FRM, true), b.view.getUint32(HartAt.FRM, true));
      }
    }
    note("retired", a.exports.retired(), b.exports.retired());
    if (memory) this.#compareMemory(lines);
    return lines;
  }

  #compareMemory(lines: string[]): void {
    const of = (engine: Engine) => engine.bytes.subarray(Layout.RAM, Layout.RAM + IMAGE_SIZE);
    const [x, y] = [of(this.interpreter), of(this.translator)];
    if (Buffer.compare(x, y) === 0) return;
    for (let at = 0, shown = 0; at < IMAGE_SIZE && shown < 4; at++) {
      if (x[at] === y[at]) continue;
      lines.push(`memory ${hex(Gpa.RAM + at)}: ${hex(x[at])}, translated ${hex(y[at])}`);
      shown++;
    }
  }
}

const hex = (v: bigint | number) => `0x${v.toString(16)}`;
