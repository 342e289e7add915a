// The comparison on Debian's kernel: which boots there are, and what is measured in which.

import { ExecError } from "../../errors.ts";
import type { Amounts } from "../amounts.ts";
import type { Suite } from "../result.ts";
import type { Finding } from "../work.ts";
import * as agent from "./agent.ts";
import * as block from "./block.ts";
import { type BootContext, DebianBoot } from "./boot.ts";
import { BOOTS, type BootKind } from "./boots.ts";
import * as console from "./console.ts";
import * as entropy from "./entropy.ts";
import * as files from "./files.ts";
import * as interrupts from "./interrupts.ts";
import * as ipi from "./ipi.ts";
import * as memory from "./memory.ts";
import * as network from "./network.ts";
import * as rtc from "./rtc.ts";
import type { DebianAbsence, DebianTask } from "./task.ts";
import * as timer from "./timer.ts";
import * as vsock from "./vsock.ts";

/** In the order of rows. */
const FUNCTIONS = [console, block, network, files, agent, vsock, timer, ipi, interrupts, rtc, entropy, memory];

/** What to measure, in the order of rows and of paths in a row. */
export function debianTasks(amounts: Amounts, suites: readonly Suite[], boots: readonly BootKind[]): DebianTask[] {
  const all = FUNCTIONS.flatMap(({ tasks }) => tasks(amounts));
  return all.filter((task) => suites.includes(task.function) && boots.includes(task.boot));
}

/** The forms that Debian's kernel cannot drive. */
export function debianAbsences(): DebianAbsence[] {
  return FUNCTIONS.flatMap((it) => ("absent" in it ? (it.absent as DebianAbsence[]) : []));
}

/** The boots that a comparison makes: fewer in the quick form, and where guest time is counted. */
export function debianBoots({ quick, virtual }: { quick: boolean; virtual: boolean }): BootKind[] {
  return (Object.keys(BOOTS) as BootKind[]).filter((kind) => {
    const { isLong, hostClock } = BOOTS[kind];
    return !(isLong && quick) && !(hostClock && virtual);
  });
}

export interface DebianRun extends BootContext {
  tasks: readonly DebianTask[];
  progress(line: string): void;
  /** One measurement has ended. */
  found(task: DebianTask, boot: number, finding: Finding | Error): void;
}

/** Boots what the tasks need, one after another, and measures; the descriptions of the boots. */
export async function compareOnDebian({ tasks, host, clock, seed, progress, found }: DebianRun): Promise<string[]> {
  const needed = new Set(tasks.map((task) => task.boot));
  const kinds = (Object.keys(BOOTS) as BootKind[]).filter((kind) => needed.has(kind));
  for (const [index, kind] of kinds.entries()) {
    const here = tasks.filter((task) => task.boot === kind);
    progress(`booting ${index + 1} of ${kinds.length}: ${BOOTS[kind].description}`);
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
  return kinds.map((kind) => BOOTS[kind].description);
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
