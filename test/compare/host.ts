// A comparison's host for tests: the library itself.
import { readFile } from "node:fs/promises";
import type { CompareGuestOptions, CompareHost, Comparison } from "../../src/compare/index.ts";
import { createGuest } from "../../src/index.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { temporaryShare } from "../../src/platform/node/share/temporary-share.ts";

/** `change` sees each guest's options before it starts. */
export function testHost(change: (options: CompareGuestOptions) => CompareGuestOptions = (same) => same): CompareHost {
  return {
    createGuest: (options) => createGuest(change(options)),
    startTimer: nodePlatform.startTimer,
    readProbe: () => readFile(new URL("../../bench/probe/probe.elf", import.meta.url)),
    readWorkload: () => readFile(new URL("../../bench/workload/workload.elf", import.meta.url)),
    shareFolder: temporaryShare,
    cpuMicroseconds: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    now: () => performance.now(),
  };
}

/** A comparison without what may differ from run to run: `machine` and every `host`. */
export function repeatable(comparison: Comparison): unknown {
  return JSON.parse(
    JSON.stringify(comparison, (key, value) => (key === "machine" || key === "host" ? undefined : value)),
  );
}
