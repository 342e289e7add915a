// Processor time, user and system, in milliseconds: of this process, of a child from its
// start to its end, and of a child that still runs.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Of this process with all its threads: compilation and collection are part of the cost. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let ticksPerSecond: number | undefined;

/** Of a running child so far, to 10 ms. */
export function cpuOf({ pid }: ChildProcess): number {
  ticksPerSecond ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name may hold blanks and brackets; after it come the fields from the third on.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000;
}

/** Resident memory of a running child in bytes. */
export function residentOf({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

export interface TimedRun {
  cpu: number;
  output: string;
}

/** Runs a program to its end. The shell's `time` asks the kernel, to the millisecond, what its child took. */
export function timeProgram([program, ...args]: readonly string[], limitSeconds: number): Promise<TimedRun> {
  const script = 'TIMEFORMAT=\'%3U %3S\'; time timeout "$0" "$@" 2>/dev/null';
  const child = spawn("bash", ["-c", script, String(limitSeconds), program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  let [output, times] = ["", ""];
  child.stdout.on("data", (bytes) => (output += bytes));
  child.stderr.on("data", (bytes) => (times += bytes));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      const [user, system] = times.trim().split(" ").map(Number);
      if (status === 124) reject(new Error(`${program} did not end within ${limitSeconds} s`));
      else if (status !== 0) reject(new Error(`${program} ended with status ${status}`));
      else resolve({ cpu: (user + system) * 1000, output });
    });
  });
}
