// What the tests need of the machine they run on. A program that is missing skips the
// tests that compare with it and says so; under CI that is a failure.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const OBJDUMP = "riscv64-linux-gnu-objdump";
export const AS = "riscv64-linux-gnu-as";
export const QEMU_SYSTEM = "qemu-system-riscv64";
export const QEMU_USER = "qemu-riscv64";

const PACKAGES: Record<string, string> = {
  [OBJDUMP]: "binutils-riscv64-linux-gnu",
  [AS]: "binutils-riscv64-linux-gnu",
  [QEMU_SYSTEM]: "qemu-system-misc",
  [QEMU_USER]: "qemu-user",
};

/** The long form of the tests: minutes instead of seconds. */
export const LONG = process.env.PARAVANE_LONG === "1";

/** The programs of these that are missing, as a sentence; undefined if all are there. */
export function missing(...programs: string[]): string | undefined {
  const absent = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (absent.length === 0) return undefined;
  const packages = [...new Set(absent.map((program) => PACKAGES[program]))].join(" ");
  const reason = `${absent.join(" and ")} not installed (Debian: ${packages})`;
  if (process.env.CI) throw new Error(`tests that may not be skipped under CI cannot run: ${reason}`);
  console.warn(`skipped: ${reason}`);
  return reason;
}

/** A module that the build makes; PARAVANE_BUILD names another folder than build/. */
export function built(name: "engine.wasm" | "inspect.wasm"): string {
  const folder = process.env.PARAVANE_BUILD ?? fileURLToPath(new URL("../../../build", import.meta.url));
  const path = `${folder}/${name}`;
  if (!existsSync(path)) throw new Error(`${path} does not exist: run "npm run build" first`);
  return path;
}
