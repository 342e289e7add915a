// The peer: QEMU's translator (TCG) in system mode, on the same board, on one CPU.
import { execFileSync } from "node:child_process";
import { DebianGuestError } from "../../src/platform/node/debian/debian-error.ts";
import { type TimedRun, timeProgram } from "../measure/cpu-time.ts";
import { unpackedProgram } from "./unpacked.ts";

const PROGRAM = "qemu-system-riscv64";
/** QEMU 10 for RISC-V has a package of its own; it is a part of qemu-system-misc. */
const UNPACKED = { name: "QEMU", folder: "qemu", package: "qemu-system-riscv", program: `usr/bin/${PROGRAM}` };
const BOARD = "-machine virt -smp 1 -display none -monitor none -serial stdio -nic none".split(" ");

export interface Qemu {
  /** The command line up to the board's devices. */
  command: readonly string[];
  /** As the program says it. */
  version: string;
}

function versionOf([program, ...args]: readonly string[]): string {
  const said = execFileSync(program, [...args, "--version"], { encoding: "utf8" });
  return said.split("\n")[0].replace(/^QEMU emulator version /, "QEMU ");
}

let found: Promise<Qemu> | undefined;

/** Debian 13's QEMU if it can be had, else the machine's own. */
export function findQemu(progress: (line: string) => void): Promise<Qemu> {
  found ??= find(progress);
  return found;
}

async function find(progress: (line: string) => void): Promise<Qemu> {
  let command = [PROGRAM];
  try {
    command = await unpackedProgram(UNPACKED, progress);
  } catch (error) {
    if (!(error instanceof DebianGuestError)) throw error;
    progress(`Debian's QEMU cannot be had (${error.message}): taking the machine's own`);
  }
  try {
    return { command: [...command, ...BOARD], version: versionOf(command) };
  } catch (cause) {
    throw new Error(`${command.join(" ")} does not start: install qemu-system-misc`, { cause });
  }
}

/** Options for a disk like our virtio disk, which is left as it is: of a snapshot what the guest writes is thrown away. */
export function qemuDisk(image: string, access: "readonly" | "snapshot"): string[] {
  return ["-drive", `file=${image},format=raw,if=none,id=disk,${access}=on`, "-device", "virtio-blk-device,drive=disk"];
}

/** Options for a virtio console, which our machine always has, with nobody behind it. */
export function qemuConsole(): string[] {
  return ["-device", "virtio-serial-pci", "-chardev", "null,id=console", "-device", "virtconsole,chardev=console"];
}

/** Runs a bare-metal program until it ends the machine. */
export function runOnQemu({ command }: Qemu, elf: string, limitSeconds: number): Promise<TimedRun> {
  return timeProgram([...command, "-m", "64M", "-bios", "none", "-kernel", elf], limitSeconds);
}
