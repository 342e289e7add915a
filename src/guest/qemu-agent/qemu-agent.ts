// QEMU's guest agent (qemu-guest-agent in Debian) from the host: the commands that people
// use, with types, and any other by name. What a guest answers is checked for its form and
// never trusted otherwise.
import { AgentError } from "../../errors.ts";
import { type AgentConnection, type CallOptions, DEFAULT_TIMEOUT } from "./connection.ts";
import { type Result, toBase64 } from "./replies.ts";

/** How long a guest that was told to end may take to say that it will not, in ms. */
const PATIENCE = 500;
/** Pause between looks at whether a command has ended, in ms; it grows. */
const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 500;
/** Bytes that one command moves of a file. */
const FILE_PART = 1 << 20;
const FILE_MAX = 1 << 30;

export interface AgentInfo {
  version: string;
  commands: { name: string; isEnabled: boolean }[];
}

export interface AgentExecOptions extends CallOptions {
  /** Standard input. */
  input?: Uint8Array;
  /** "NAME=value" each; the agent's own environment if left out. */
  environment?: string[];
}

export interface AgentExecResult {
  /** Exit status, or undefined if a signal ended the command. */
  status: number | undefined;
  signal: number | undefined;
  stdout: Uint8Array;
  stderr: Uint8Array;
  /** The agent keeps at most 16 MiB of either. */
  isCut: boolean;
}

export interface AgentInterface {
  name: string;
  /** Hardware address, six bytes in hexadecimal. */
  mac: string | undefined;
  addresses: { type: string; address: string; prefix: number }[];
}

export type FreezeStatus = "thawed" | "frozen";

export class QemuAgent {
  readonly #connection: AgentConnection;
  readonly #pause: (milliseconds: number) => Promise<void>;

  /** Use `guest.agent`. */
  constructor(connection: AgentConnection, pause: (milliseconds: number) => Promise<void>) {
    this.#connection = connection;
    this.#pause = pause;
  }

  /**
   * Any command of the agent's: its result as it came, of any form.
   * @throws AgentError if the agent refuses, answers nonsense or does not answer in time, as all methods here do.
   */
  async call(command: string, args?: Record<string, unknown>, options?: CallOptions): Promise<unknown> {
    return (await this.#connection.call(command, args, options)).value;
  }

  /** Resolves if the agent answers. */
  async ping(options?: CallOptions): Promise<void> {
    await this.#connection.call("guest-ping", undefined, options);
  }

  async info(options?: CallOptions): Promise<AgentInfo> {
    const result = await this.#connection.call("guest-info", undefined, options);
    return {
      version: result.get("version").text(),
      commands: result
        .get("supported_commands")
        .list()
        .map((command) => ({ name: command.get("name").text(), isEnabled: command.get("enabled").boolean() })),
    };
  }

  /** What /etc/os-release and uname say: keys such as "pretty-name" and "kernel-release". */
  async osInfo(options?: CallOptions): Promise<Record<string, string>> {
    const { value } = await this.#connection.call("guest-get-osinfo", undefined, options);
    return Object.fromEntries(Object.entries(value ?? {}).filter(([, text]) => typeof text === "string"));
  }

  async hostName(options?: CallOptions): Promise<string> {
    return (await this.#connection.call("guest-get-host-name", undefined, options)).get("host-name").text();
  }

  /** Runs a program; `path` is looked for in the agent's PATH. `timeout` is for all of it. */
  async exec(path: string, args: readonly string[] = [], options: AgentExecOptions = {}): Promise<AgentExecResult> {
    const { input, environment, timeout = DEFAULT_TIMEOUT } = options;
    const started = await this.#connection.call(
      "guest-exec",
      {
        path,
        arg: args,
        env: environment,
        "input-data": input && toBase64(input),
        "capture-output": true,
      },
      { timeout },
    );
    const pid = started.get("pid").number();
    let waited = 0;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      const status = await this.#connection.call("guest-exec-status", { pid }, { timeout });
      if (status.get("exited").boolean()) return execResult(status);
      if (waited >= timeout) {
        throw new AgentError(`guest-exec: ${path} did not end within ${timeout / 1000} s: allow it more time`, {
          timedOut: true,
        });
      }
      await this.#pause(pause);
      waited += pause;
    }
  }

  /** Switches the guest off, halts or restarts it. Resolves when the agent has taken the order. */
  shutdown(mode: "powerdown" | "halt" | "reboot" = "powerdown", options?: CallOptions): Promise<void> {
    return this.#connection.tell("guest-shutdown", { mode }, PATIENCE, options);
  }

  /** Writes out and stops all file systems; how many. Until thaw() the guest can do little else. */
  async freeze(options?: CallOptions): Promise<number> {
    return (await this.#connection.call("guest-fsfreeze-freeze", undefined, options)).number();
  }

  async thaw(options?: CallOptions): Promise<number> {
    return (await this.#connection.call("guest-fsfreeze-thaw", undefined, options)).number();
  }

  async freezeStatus(options?: CallOptions): Promise<FreezeStatus> {
    const status = (await this.#connection.call("guest-fsfreeze-status", undefined, options)).text();
    if (status !== "thawed" && status !== "frozen")
      throw new AgentError(`guest-fsfreeze-status: no status "${status}"`);
    return status;
  }

  async interfaces(options?: CallOptions): Promise<AgentInterface[]> {
    const result = await this.#connection.call("guest-network-get-interfaces", undefined, options);
    return result.list().map((it) => ({
      name: it.get("name").text(),
      mac: it.get("hardware-address").optional((mac) => mac.text()),
      addresses: (it.get("ip-addresses").optional((all) => all.list()) ?? []).map((address) => ({
        type: address.get("ip-address-type").text(),
        address: address.get("ip-address").text(),
        prefix: address.get("prefix").number(),
      })),
    }));
  }

  /** The contents of a file of the guest's, at most `limit` bytes (1 GiB): more is an error. */
  async readFile(path: string, options: CallOptions & { limit?: number } = {}): Promise<Uint8Array> {
    const { limit = FILE_MAX } = options;
    return this.#withFile(path, "r", options, async (handle) => {
      const parts: Uint8Array[] = [];
      let size = 0;
      for (;;) {
        const part = await this.#connection.call("guest-file-read", { handle, count: FILE_PART }, options);
        const bytes = part.get("buf-b64").bytes();
        parts.push(bytes);
        size += bytes.length;
        if (size > limit) throw new AgentError(`${path} of the guest has more than ${limit} bytes: allow more`);
        if (part.get("eof").boolean()) break;
        if (bytes.length === 0) throw new AgentError(`${path} of the guest: the agent read nothing, and no end`);
      }
      const all = new Uint8Array(size);
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      return all;
    });
  }

  /** Makes a file of the guest's, or replaces what it holds. */
  async writeFile(path: string, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    await this.#withFile(path, "w", options, async (handle) => {
      for (let at = 0; at < bytes.length; ) {
        const data = bytes.subarray(at, at + FILE_PART);
        const written = await this.#connection.call("guest-file-write", { handle, "buf-b64": toBase64(data) }, options);
        const count = written.get("count").number();
        if (!Number.isInteger(count) || count < 1 || count > data.length) {
          throw new AgentError(`${path} of the guest: the agent wrote ${count} bytes of ${data.length}`);
        }
        at += count;
      }
      await this.#connection.call("guest-file-flush", { handle }, options);
    });
  }

  async #withFile<R>(
    path: string,
    mode: string,
    options: CallOptions,
    use: (handle: number) => Promise<R>,
  ): Promise<R> {
    const handle = (await this.#connection.call("guest-file-open", { path, mode }, options)).number();
    try {
      return await use(handle);
    } finally {
      await this.#connection.call("guest-file-close", { handle }, options).catch(() => {});
    }
  }
}

function execResult(status: Result): AgentExecResult {
  const bytes = (name: string) => status.get(name).optional((data) => data.bytes()) ?? new Uint8Array();
  const isTrue = (name: string) => status.get(name).optional((cut) => cut.boolean()) ?? false;
  return {
    status: status.get("exitcode").optional((code) => code.number()),
    signal: status.get("signal").optional((signal) => signal.number()),
    stdout: bytes("out-data"),
    stderr: bytes("err-data"),
    isCut: isTrue("out-truncated") || isTrue("err-truncated"),
  };
}
