// Runs the built command in a process of its own, as people do.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

export function start(args: string[], options: { env?: Record<string, string> } = {}) {
  return spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...options.env } });
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
