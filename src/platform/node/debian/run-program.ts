// Runs a program of the host to its end.
import { type ChildProcess, spawn } from "node:child_process";

export interface ProgramResult {
  status: number;
  stdout: Buffer;
  stderr: string;
}

export interface ProgramOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Gets each line of standard output as it comes. */
  onLine?(line: string): void;
}

const running = new Set<ChildProcess>();

function endRunning(): void {
  for (const child of running) child.kill();
}

/** Keeps `child` from outliving this process, should that end by itself meanwhile. */
function watch(child: ChildProcess): void {
  if (running.size === 0) process.on("exit", endRunning);
  running.add(child);
  const forget = () => {
    running.delete(child);
    if (running.size === 0) process.off("exit", endRunning);
  };
  child.on("close", forget);
  child.on("error", forget);
}

/** Rejects only if the program cannot be started (`code` ENOENT: it is not there). */
export function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env, onLine }: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, LC_ALL: "C", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    watch(child);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let line = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout.push(chunk);
      if (!onLine) return;
      const lines = (line + chunk.toString()).split("\n");
      line = lines.pop() ?? "";
      for (const complete of lines) onLine(complete);
    });
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ status: code ?? 255, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}
