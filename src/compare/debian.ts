// The comparison on Debian's kernel: three boots, and what is measured in which.
//
// A kernel message goes to every console that is registered, and a timer interface is chosen
// once, at boot: so those rows need a boot a path. What can share a boot does.

import { ExecError } from "../errors.ts";
import type { ClockKind } from "../guest/options.ts";
import type { Amounts } from "./amounts.ts";
import * as block from "./debian-block.ts";
import { type BootKind, DebianBoot } from "./debian-boot.ts";
import * as console from "./debian-console.ts";
import * as network from "./debian-network.ts";
import type { DebianTask } from "./debian-task.ts";
import * as timer from "./debian-timer.ts";
import type { Suite } from "./result.ts";
import type { CompareHost, Finding } from "./work.ts";

/** What to measure, in the order of rows and of paths in a row. */
export function debianTasks(amounts: Amounts, suites: readonly Suite[], boots: readonly BootKind[]): DebianTask[] {
  const all = [...console.tasks(amounts), ...block.tasks(amounts), ...network.tasks(amounts), ...timer.tasks(amounts)];
  return all.filter((task) => suites.includes(task.function) && boots.includes(task.boot));
}

export interface DebianRun {
  tasks: readonly DebianTask[];
  host: CompareHost;
  clock: ClockKind;
  seed: bigint | undefined;
  progress(line: string): void;
  /** One measurement has ended. */
  found(task: DebianTask, boot: number, finding: Finding | Error): void;
}

/** Boots what the tasks need, one after another, and measures; the descriptions of the boots. */
export async function compareOnDebian({ tasks, host, clock, seed, progress, found }: DebianRun): Promise<string[]> {
  const kinds = [...new Set(tasks.map((task) => task.boot))];
  for (const [index, kind] of kinds.entries()) {
    const here = tasks.filter((task) => task.boot === kind);
    progress(`booting ${index + 1} of ${kinds.length}: ${DebianBoot.describe(kind)}`);
    let boot: DebianBoot | undefined;
    try {
      boot = await DebianBoot.start(kind, { host, clock, seed });
      for (const [number, task] of here.entries()) {
        progress(`${task.function}: ${task.workload}, ${task.device}`);
        const finding = await attempt(() => task.run(boot as DebianBoot));
        found(task, index, finding);
        if (!(finding instanceof ExecError && finding.timedOut)) continue;
        // The guest is still at it: whatever came next would wait for it in vain.
        for (const rest of here.slice(number + 1)) found(rest, index, new Error(`not run, since ${finding.message}`));
        break;
      }
    } catch (error) {
      if (boot !== undefined) throw error;
      // The boot failed, and with it every measurement in it.
      for (const task of here) found(task, index, asError(error));
    } finally {
      await boot?.end();
    }
  }
  return kinds.map((kind) => DebianBoot.describe(kind));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

async function attempt(run: () => Promise<Finding>): Promise<Finding | Error> {
  try {
    return await run();
  } catch (error) {
    return asError(error);
  }
}
