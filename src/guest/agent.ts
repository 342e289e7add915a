// The host's half of the exec protocol (agent-protocol.ts): runs commands in a guest whose
// /init is the script of src/image/agent-script.ts. It knows no device: the machine gives it
// a way to write to ports and tells it what came out of them.
//
// Whatever a port says comes from the guest, so it is checked: lines have a longest length,
// output a largest amount, and nonsense fails the command, never the host.

import { ExecError } from "../errors.ts";
import { AgentPort, endMark, PROTOCOL_VERSION, startMark } from "./agent-protocol.ts";
import { MarkedStream } from "./marked-stream.ts";

const MAX_LINE = 256;
const DEFAULT_OUTPUT_LIMIT = 64 * 1024 * 1024;
const ENCODER = new TextEncoder();

export interface AgentOptions {
  /** Sends bytes to a port's guest side; called only after the guest has opened its ports. */
  write(port: AgentPort, bytes: Uint8Array): void;
  /** Makes the tokens of the marks repeat; random if left out. */
  seed?: number;
}

export interface ExecOptions {
  /** Standard input of the command; /dev/null if left out. */
  stdin?: Uint8Array;
  /** Gets standard output as it comes, in order. */
  onStdout?(bytes: Uint8Array): void;
  onStderr?(bytes: Uint8Array): void;
  /** Whether the result holds the output too; true if left out. */
  collect?: boolean;
  /** Most bytes of output to collect; past it the command fails. 64 MiB if left out. */
  outputLimit?: number;
}

export interface ExecResult {
  /** Exit status, 0 to 255; 128 + n when signal n ended the command. */
  status: number;
  stdout: Uint8Array;
  stderr: Uint8Array;
}

/** One command, from the call to its end. */
interface Execution {
  id: number;
  command: Uint8Array;
  options: ExecOptions;
  stdout: MarkedStream;
  stderr: MarkedStream;
  collected: { stdout: Uint8Array[]; stderr: Uint8Array[]; size: number };
  status: number | undefined;
  resolve(result: ExecResult): void;
  reject(error: Error): void;
}

function join(chunks: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    out.set(chunk, offset);
    offset += chunk.length;
  }
  return out;
}

/** 16 hexadecimal digits out of a seed and a number: the finalizer of SplitMix64. */
function tokenOf(seed: number, id: number): string {
  let z = BigInt.asUintN(64, BigInt(Math.trunc(seed)) + BigInt(id) * 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return (z ^ (z >> 31n)).toString(16).padStart(16, "0");
}

export class GuestAgent {
  /** Fulfilled when the guest can take commands; rejected if the agent is closed before. */
  readonly ready: Promise<void>;
  readonly #write: AgentOptions["write"];
  readonly #seed: number;
  #resolveReady!: () => void;
  #rejectReady!: (error: Error) => void;
  #isReady = false;
  #closed: Error | undefined;
  #line: number[] = [];
  #nextId = 1;
  #waiting: Execution[] = [];
  #running: Execution | undefined;
  /** A request to end or restart the guest, held back until it is ready and idle. */
  #farewell: "poweroff" | "reboot" | undefined;

  constructor({ write, seed = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER) }: AgentOptions) {
    this.#write = write;
    this.#seed = seed;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Nobody has to wait for it.
    this.ready.catch(() => undefined);
  }

  /**
   * Runs `/bin/sh -c command` in the guest, after the commands given before.
   * @throws ExecError if the command cannot be passed on, or the guest ends or restarts meanwhile.
   */
  exec(command: string | Uint8Array, options: ExecOptions = {}): Promise<ExecResult> {
    const bytes = typeof command === "string" ? ENCODER.encode(command) : command.slice();
    if (bytes.includes(0)) {
      return Promise.reject(new ExecError("the command holds a NUL byte, which no shell takes: send it as stdin"));
    }
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const token = tokenOf(this.#seed, id);
      const stream = (name: "stdout" | "stderr") =>
        new MarkedStream(startMark(token), endMark(token), (chunk) => this.#output(execution, name, chunk));
      const execution: Execution = {
        id,
        command: bytes,
        options,
        stdout: stream("stdout"),
        stderr: stream("stderr"),
        collected: { stdout: [], stderr: [], size: 0 },
        status: undefined,
        resolve,
        reject,
      };
      this.#waiting.push(execution);
      this.#next();
    });
  }

  /** Asks the guest to write its disks and power off, after the commands given before. */
  poweroff(): void {
    this.#farewell = "poweroff";
    this.#next();
  }

  /** Asks the guest to write its disks and restart, after the commands given before. */
  reboot(): void {
    this.#farewell = "reboot";
    this.#next();
  }

  /** Says that no more will come from the guest: what is pending fails with `error`. */
  close(error: Error): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#rejectReady(error);
    this.#fail(error);
    for (const execution of this.#waiting.splice(0)) execution.reject(error);
  }

  /** Takes what the guest wrote to a port. The bytes may be overwritten afterwards. */
  onBytes(port: AgentPort, bytes: Uint8Array): void {
    if (this.#closed) return;
    if (port === AgentPort.CONTROL) {
      for (const byte of bytes) {
        if (byte === 0x0a) this.#onLine(String.fromCharCode(...this.#line.splice(0)));
        else if (this.#line.length < MAX_LINE) this.#line.push(byte);
      }
    } else if (port !== AgentPort.STDIN && this.#running) {
      this.#running[port === AgentPort.STDOUT ? "stdout" : "stderr"].feed(bytes);
      this.#finishIfDone();
    }
  }

  #onLine(line: string): void {
    const [word, ...values] = line.split(" ");
    if (word === "ready") this.#onReady(values[0]);
    else if (word === "exit") this.#onExit(Number(values[0]), Number(values[1]));
    else this.close(new ExecError(`the guest's agent said "${line}": the initrd's /init is not this version's`));
  }

  #onReady(version: string): void {
    if (Number(version) !== PROTOCOL_VERSION) {
      this.close(
        new ExecError(
          `the guest's agent speaks version ${version} of the protocol, this host ${PROTOCOL_VERSION}: ` +
            "make the initrd anew",
        ),
      );
      return;
    }
    this.#fail(new ExecError("the guest restarted while the command ran"));
    this.#isReady = true;
    this.#resolveReady();
    this.#next();
  }

  #onExit(id: number, status: number): void {
    const execution = this.#running;
    if (execution?.id !== id || !Number.isInteger(status) || status < 0 || status > 255) {
      this.close(new ExecError(`the guest's agent reported status ${status} of command ${id}, which does not run`));
      return;
    }
    execution.status = status;
    this.#finishIfDone();
  }

  #output(execution: Execution, name: "stdout" | "stderr", chunk: Uint8Array): void {
    const { options, collected } = execution;
    if (name === "stdout") options.onStdout?.(chunk);
    else options.onStderr?.(chunk);
    if (options.collect === false) return;
    const limit = options.outputLimit ?? DEFAULT_OUTPUT_LIMIT;
    collected.size += chunk.length;
    if (collected.size > limit) {
      execution.reject(
        new ExecError(`the command wrote more than ${limit} bytes: take them with onStdout and collect: false`),
      );
      // The command runs on; its output is let go until it ends.
      execution.options = { collect: false };
      collected.stdout = [];
      collected.stderr = [];
      return;
    }
    collected[name].push(chunk);
  }

  #finishIfDone(): void {
    const execution = this.#running;
    if (execution?.status === undefined || !execution.stdout.ended || !execution.stderr.ended) return;
    this.#running = undefined;
    const { stdout, stderr } = execution.collected;
    execution.resolve({ status: execution.status, stdout: join(stdout), stderr: join(stderr) });
    this.#next();
  }

  #fail(error: Error): void {
    const execution = this.#running;
    this.#running = undefined;
    execution?.reject(error);
  }

  #next(): void {
    if (!this.#isReady || this.#running || this.#closed) return;
    const execution = this.#waiting.shift();
    if (execution) {
      this.#running = execution;
      const { id, command, options } = execution;
      const token = tokenOf(this.#seed, id);
      const request = `exec ${id} ${token} ${command.length} ${options.stdin?.length ?? "-"}\n`;
      this.#write(AgentPort.CONTROL, join([ENCODER.encode(request), command]));
      if (options.stdin?.length) this.#write(AgentPort.STDIN, options.stdin);
    } else if (this.#farewell) {
      this.#isReady = false;
      this.#write(AgentPort.CONTROL, ENCODER.encode(`${this.#farewell}\n`));
      this.#farewell = undefined;
    }
  }
}
