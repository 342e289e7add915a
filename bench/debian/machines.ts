// The same Debian here and under QEMU, both up at the same time, and programs of the root disk
// run in either.
import type { ExecOptions, ExecResult } from "../../src/guest/agent.ts";
import { createGuest } from "../../src/index.ts";
import type { DebianGuest } from "../../src/platform/node/debian/build.ts";
import { type Qemu, qemuDisk } from "../peer/qemu.ts";
import { QemuGuest } from "../peer/qemu-guest.ts";
import type { Program } from "./catalogue.ts";

const MEMORY = "1G";
const PATIENCE_MS = 900_000;

/** Programs see the root disk as their system: makes /mnt what they chroot into. */
export const ENTER = `modprobe -a crc32c_generic ext4 && mount -t ext4 /dev/vda /mnt && mount -t tmpfs tmpfs /mnt/tmp &&
  for place in proc sys dev; do mount --bind /$place /mnt/$place || exit; done`;

interface Runs {
  ready(): Promise<void>;
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  close(): void;
}

/** What a run of a program took and left. */
export interface ProgramRun {
  milliseconds: number;
  /** For a program that measures itself all of it, else its hash. */
  result: string;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Rejects if `work` takes too long; whoever is at work then is ended with the machine. */
async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new Error(`${what} did not end within ${PATIENCE_MS / 1000} s`));
    timer = setTimeout(fail, PATIENCE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export class DebianMachine {
  readonly #guest: Runs;
  readonly #name: string;

  private constructor(name: string, guest: Runs) {
    this.#name = name;
    this.#guest = guest;
  }

  static async ours(image: string): Promise<DebianMachine> {
    const disks = [{ path: image, overlay: true }];
    const guest = await createGuest({ guest: "debian", exec: true, memory: MEMORY, disks });
    return DebianMachine.#enter("paravane", guest);
  }

  static qemu(qemu: Qemu, guest: DebianGuest, image: string): Promise<DebianMachine> {
    return DebianMachine.#enter("QEMU", new QemuGuest(qemu, guest, MEMORY, qemuDisk(image, "snapshot")));
  }

  static async #enter(name: string, guest: Runs): Promise<DebianMachine> {
    const machine = new DebianMachine(name, guest);
    try {
      await inTime(`${name}'s boot`, guest.ready());
      await machine.#exec(ENTER);
      return machine;
    } catch (error) {
      guest.close();
      throw error;
    }
  }

  /** What the preparation prints. */
  async prepare({ files = {}, prepare = "true" }: Program): Promise<string> {
    for (const [name, content] of Object.entries(files)) {
      await this.#exec(`cat >/mnt/tmp/${name}`, new TextEncoder().encode(content));
    }
    return this.#inside(prepare);
  }

  async run({ command, rate }: Program): Promise<ProgramRun> {
    // The guest's own clock: its way to the program is not timed.
    const said = await this.#inside(`start=$(date +%s%N)
      { ${command}; } || exit
      end=$(date +%s%N)
      echo $((end - start))
      ${rate ? "cat result" : "sha256sum <result"}`);
    const end = said.indexOf("\n");
    return { milliseconds: Number(said.slice(0, end)) / 1e6, result: said.slice(end + 1) };
  }

  close(): void {
    this.#guest.close();
  }

  #inside(script: string): Promise<string> {
    return this.#exec(`chroot /mnt /bin/sh -c ${quoted(`cd /tmp\n${script}`)}`);
  }

  async #exec(command: string, stdin?: Uint8Array): Promise<string> {
    const { status, stdout, stderr } = await inTime(command, this.#guest.exec(command, { stdin }));
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (status === 0) return text(stdout);
    throw new Error(`${this.#name}: ${command} ended with status ${status}: ${text(stderr).trim()}`);
  }
}
