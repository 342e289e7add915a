// Runs a program of the host to its end.
import { spawn } from "node:child_process";

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
