// A kernel on several machines in turns: what each of them took, provided that all came to
// the same result.
import { buildKernel, type Target } from "../kernels/build.ts";
import type { Group, Kernel } from "../kernels/catalogue.ts";
import { readHostedResult } from "../kernels/result.ts";
import { type Qemu, runOnQemu } from "../peer/qemu.ts";
import { runBareMetal, type Tier } from "./bare-metal.ts";
import { timeProgram } from "./cpu-time.ts";
import type { Row } from "./report.ts";
import { inTurns } from "./rounds.ts";
import { geometricMean, median } from "./statistics.ts";

const LIMIT_SECONDS = 60;

interface KernelRun {
  /** CPU time in ms. */
  cpu: number;
  checksum: string;
  instructions?: number;
}

/** A machine that runs kernels. */
export interface Contestant {
  name: string;
  target: Target;
  /** It is measured as it is after the first second of any guest: its own code is compiled for good. */
  warmUp: boolean;
  run(program: string): Promise<KernelRun>;
}

export function paravane(tier: Tier): Contestant {
  return {
    name: `paravane ${tier}`,
    target: "bare",
    warmUp: true,
    async run(program) {
      const { cpu, checksum, instructions, output } = await runBareMetal(program, {
        limitSeconds: LIMIT_SECONDS,
        tier,
      });
      if (checksum !== output.trim()) throw new Error(`checksum ${checksum} in memory, ${output.trim()} on the UART`);
      return { cpu, checksum, instructions };
    },
  };
}

/** QEMU, less the CPU time that it takes for a program that ends at once. */
export async function qemuTranslator(qemu: Qemu, rounds: number): Promise<Contestant> {
  const empty = buildKernel("empty", 0);
  const run = async () => (await runOnQemu(qemu, empty, LIMIT_SECONDS)).cpu;
  const samples = await inTurns([{ name: "empty", run }], Math.max(rounds, 3));
  const startUp = median(samples.get("empty") ?? []);
  return {
    name: "QEMU",
    target: "bare",
    warmUp: false,
    async run(program) {
      const { cpu, output } = await runOnQemu(qemu, program, LIMIT_SECONDS);
      return { cpu: cpu - startUp, checksum: output.trim() };
    },
  };
}

/** This machine itself. */
export const native: Contestant = {
  name: "native",
  target: "native",
  warmUp: false,
  run: async (program) => readHostedResult((await timeProgram([program], LIMIT_SECONDS)).output),
};

export interface Outcome {
  /** CPU time in ms a round. */
  times(contestant: Contestant): number[];
  /** Millions of guest instructions a second: the programs for the bare machine are the same. */
  mips(contestant: Contestant): number;
}

export interface ContestOptions {
  contestants: readonly Contestant[];
  rounds: number;
  /** How much of the kernel's iterations a run does. */
  share: number;
}

/** @throws Error if the checksums differ. */
export async function compete(kernel: Kernel, { contestants, rounds, share }: ContestOptions): Promise<Outcome> {
  const build = (target: Target, part: number) =>
    buildKernel(kernel.name, Math.ceil(kernel.iterations * part), { target });
  for (const { target, warmUp, run } of contestants) if (warmUp) await run(build(target, 1 / 20));

  const checksums = new Map<string, string>();
  let instructions = 0;
  const samples = await inTurns(
    contestants.map(({ name, target, run }) => {
      const program = build(target, share);
      return {
        name,
        async run() {
          const result = await run(program);
          checksums.set(name, result.checksum);
          instructions = result.instructions ?? instructions;
          return result.cpu;
        },
      };
    }),
    rounds,
  );
  if (new Set(checksums.values()).size !== 1) {
    const said = [...checksums].map(([name, checksum]) => `${name} ${checksum}`).join(", ");
    throw new Error(`${kernel.name}: checksums differ: ${said}`);
  }
  const times = ({ name }: Contestant) => samples.get(name) ?? [];
  return { times, mips: (contestant) => instructions / median(times(contestant)) / 1000 };
}

/** A kernel's figures by the columns' keys. */
export interface KernelFigures {
  kernel: Kernel;
  figures: Record<string, number>;
}

/** Geometric mean of a figure over the kernels of a group, or over all. */
export function meanOf(measured: readonly KernelFigures[], key: string, group?: Group): number {
  const members = measured.filter(({ kernel }) => group === undefined || kernel.group === group);
  return geometricMean(members.map(({ figures }) => figures[key]));
}

/** Rows of a table: group by group, with means, and the mean of all. */
export function kernelRows(measured: readonly KernelFigures[], keys: readonly string[]): Row[] {
  const mean = (group?: Group): Row => ({
    group: group ?? "all",
    kernel: "(geometric mean)",
    ...Object.fromEntries(keys.map((key) => [key, meanOf(measured, key, group)])),
  });
  const groups = [...new Set(measured.map(({ kernel }) => kernel.group))];
  const rows = groups.flatMap((group): Row[] => {
    const members = measured.filter(({ kernel }) => kernel.group === group);
    return [...members.map(({ kernel, figures }) => ({ group, kernel: kernel.name, ...figures })), mean(group)];
  });
  return [...rows, mean()];
}
