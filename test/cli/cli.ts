// Runs the built command in a process of its own, as people do.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface StartOptions {
  env?: Record<string, string>;
  /** "ignore" is /dev/null. */
  stdin?: "pipe" | "ignore";
}

export function start(args: string[], { env, stdin = "pipe" }: StartOptions = {}): ChildProcessWithoutNullStreams {
  const stdio = [stdin, "pipe", "pipe"] as const;
  const child = spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...env }, stdio: [...stdio] });
  return child as ChildProcessWithoutNullStreams;
}

export function collect(child: ReturnType<typeof start>): Promise<Outcome> {
  const outcome: Outcome = { status: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    outcome.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    outcome.stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ ...outcome, status }));
  });
}

/** Runs `paravane args...` with nothing on stdin. */
export function paravane(...args: string[]): Promise<Outcome> {
  const child = start(args);
  child.stdin.end();
  return collect(child);
}
