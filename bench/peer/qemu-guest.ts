// A guest under QEMU that takes commands as ours do: the same agent in the initrd, and the same
// ports, which lead to sockets here.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExecOptions, type ExecResult, GuestAgent } from "../../src/guest/agent.ts";
import { type AgentPort, agentPorts } from "../../src/guest/agent-protocol.ts";
import { concatenateArchives } from "../../src/image/cpio.ts";
import { execOverlay } from "../../src/image/overlay.ts";
import type { DebianGuest } from "../../src/platform/node/debian/build.ts";
import { cpuOf } from "../measure/cpu-time.ts";
import { type Qemu, qemuDisk } from "./qemu.ts";

const APPEND = "console=ttyS0 panic=1 quiet";

export class QemuGuest {
  readonly #folder = mkdtempSync(join(tmpdir(), "paravane-bench-"));
  readonly #sockets = new Map<AgentPort, Socket>();
  readonly #servers: Server[];
  readonly #agent: GuestAgent;
  readonly #child: ChildProcess;

  /** @param memory as QEMU takes it; @param image of a disk that is left as it is; @param devices more of QEMU's options. */
  constructor(
    { command }: Qemu,
    { kernel, initrd, opensbi }: DebianGuest,
    memory: string,
    image: string,
    devices: readonly string[] = [],
  ) {
    this.#agent = new GuestAgent({ write: (port, bytes) => this.#sockets.get(port)?.write(bytes) });
    this.#servers = agentPorts.map((port) => this.#listen(port));
    const archive = join(this.#folder, "initrd.cpio");
    writeFileSync(archive, concatenateArchives(readFileSync(initrd), execOverlay()));
    const boot = ["-m", memory, "-bios", opensbi.dynamic, "-kernel", kernel, "-initrd", archive, "-append", APPEND];
    const ports = agentPorts.flatMap((port, i) => [
      ...["-chardev", `socket,id=port${i},path=${join(this.#folder, port)}`],
      ...["-device", `virtserialport,chardev=port${i},name=${port}`],
    ]);
    const [program, ...args] = [
      ...command,
      ...boot,
      ...qemuDisk(image, "snapshot"),
      "-device",
      "virtio-serial-pci",
      ...ports,
      ...devices,
    ];
    this.#child = spawn(program, args, { stdio: ["pipe", "ignore", "pipe"] });
    let errors = "";
    this.#child.stderr?.on("data", (bytes) => (errors += bytes));
    const gone = (why: string) => this.#agent.close(new Error(`QEMU ${why}: ${errors.trim()}`));
    this.#child.on("error", (error) => gone(error.message));
    this.#child.on("close", (status) => gone(`ended with status ${status}`));
  }

  ready(): Promise<void> {
    return this.#agent.ready;
  }

  exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    return this.#agent.exec(command, options);
  }

  /** Processor time of QEMU so far, all threads, in ms. */
  get cpu(): number {
    return cpuOf(this.#child);
  }

  /** Ends the process. Nothing of it is kept, so its plug may be pulled. */
  close(): void {
    this.#child.kill("SIGKILL");
    for (const socket of this.#sockets.values()) socket.destroy();
    for (const server of this.#servers) server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #listen(port: AgentPort): Server {
    const server = createServer((socket) => {
      this.#sockets.set(port, socket);
      socket.on("data", (bytes) => this.#agent.onBytes(port, bytes));
      // How it went is told by QEMU's end.
      socket.on("error", () => undefined);
    });
    return server.listen(join(this.#folder, port));
  }
}
