// Boots Debian in a process of its own, ours or QEMU, up to a prompt on the UART.
// Both are seen from outside in the same way: their output, and what the kernel says of them.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { DebianGuest } from "../../src/platform/node/debian/build.ts";
import { type Qemu, qemuDisk } from "../peer/qemu.ts";
import { cpuOf } from "./cpu-time.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const MEMORY = "512M";
const APPEND = "console=ttyS0 panic=1";
/** busybox's, before what it asks the terminal. */
const SHELL_PROMPT = "~ # ";
const PATIENCE_MS = 300_000;

export interface Boot {
  child: ChildProcessWithoutNullStreams;
  /** Until the prompt, in ms. */
  wall: number;
  cpu: number;
}

/**
 * The command that boots the guest here; it comes from the same cache that `npm start` uses.
 * @param disk path of an image, to be read as /dev/vda.
 */
export function ourCommand(boot: "paravirt" | "firmware", disk?: string): string[] {
  const disks = disk === undefined ? [] : ["--disk", `${disk},if=virtio,ro`];
  return ourRun(["--guest", "debian", "--boot", boot, ...disks], APPEND);
}

/** The same for a guest out of other files and with another command line. */
export function ourRun(guest: readonly string[], append: string): string[] {
  const options = [...guest, "--console", "ns16550a", "--memory", MEMORY, "--append", append];
  return [process.execPath, CLI, "run", "--quiet", ...options];
}

/** The same kernel, initrd and disk under QEMU, whose kernel always needs firmware: the same OpenSBI. */
export function qemuCommand(qemu: Qemu, guest: DebianGuest, disk?: string): string[] {
  return [...qemuRun(qemu, guest, APPEND), ...(disk === undefined ? [] : qemuDisk(disk, "readonly"))];
}

/** The same for a guest out of other files and with another command line. */
export function qemuRun(
  { command }: Qemu,
  { kernel, initrd, opensbi }: Pick<DebianGuest, "kernel" | "initrd" | "opensbi">,
  append: string,
): string[] {
  return [...command, "-m", MEMORY, "-bios", opensbi.dynamic, "-kernel", kernel, "-initrd", initrd, "-append", append];
}

/** Starts the command and resolves at the shell's prompt; the child runs on, until `end`. */
export function bootToShell(command: readonly string[]): Promise<Boot> {
  return bootToPrompt(command, SHELL_PROMPT);
}

/** The same for a prompt of another kind. */
export function bootToPrompt([program, ...args]: readonly string[], prompt: string): Promise<Boot> {
  const start = performance.now();
  // QEMU would take the end of its input for a hang-up: it gets a pipe that stays open.
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  return new Promise<Boot>((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`${program} ${why}: ${(errors || output).trim().split("\n").slice(-3).join("; ")}`));
    };
    const timer = setTimeout(() => fail(`gave no prompt within ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
    child.on("error", (error) => fail(error.message));
    child.on("close", (status) => fail(`ended with status ${status} before its prompt`));
    child.stderr.on("data", (bytes) => (errors += bytes));
    child.stdout.on("data", (bytes) => {
      output = (output + bytes).slice(-4096);
      if (!output.includes(prompt)) return;
      clearTimeout(timer);
      child.stdout.removeAllListeners("data").resume();
      child.removeAllListeners("close");
      resolve({ child, wall: performance.now() - start, cpu: cpuOf(child) });
    });
  });
}

/** Types a command at the prompt; resolves with all that the console shows until the next prompt. */
export function typeCommand({ child }: Boot, command: string): Promise<string> {
  let output = "";
  return new Promise<string>((resolve, reject) => {
    const settle = (error?: string) => {
      clearTimeout(timer);
      child.stdout.off("data", see);
      child.off("close", ended);
      if (error === undefined) resolve(output);
      else reject(new Error(`${command} ${error}: ${output.trim().split("\n").slice(-3).join("; ")}`));
    };
    const see = (bytes: Buffer) => {
      output += bytes;
      if (output.includes(SHELL_PROMPT)) settle();
    };
    const ended = () => settle("ended with the machine");
    const timer = setTimeout(() => settle(`did not end within ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
    child.stdout.on("data", see);
    child.on("close", ended);
    child.stdin.write(`${command}\n`);
  });
}

/** Ends the process. Nothing of it is kept, so its plug may be pulled. */
export function end({ child }: Boot): Promise<void> {
  return new Promise((resolve) => {
    child.on("close", () => resolve());
    child.kill("SIGKILL");
  });
}
