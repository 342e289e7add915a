// Commands in the guest: the agent (agent.ts) over ports of the virtio console, with
// timeouts, and with the guest held between commands where its run has to repeat.
import { ExecError } from "../errors.ts";
import { type ExecOptions as AgentExecOptions, type ExecResult, GuestAgent } from "./agent.ts";
import { agentPorts } from "./agent-protocol.ts";
import { type ConsolePorts, virtioPort } from "./console-ports.ts";
import type { NamedPort } from "./machine.ts";
import type { Platform } from "./platform.ts";
import type { RunLoop } from "./run-loop.ts";

export type { ExecResult };

export interface ExecOptions extends AgentExecOptions {
  /**
   * Host milliseconds after which exec() rejects with an ExecError whose `timedOut` is true.
   * The command is not ended; later commands wait for it.
   */
  timeout?: number;
}

/** The agent's ports follow the console, which is port 0. */
const FIRST_PORT = 1;
export const agentPortList: readonly NamedPort[] = agentPorts.map((name, i) => ({ index: FIRST_PORT + i, name }));

/** Why the guest does not run while it has no command. */
const NO_COMMAND = "no command to run";

export interface ExecutorParts {
  ports: ConsolePorts;
  loop: RunLoop;
  platform: Platform;
  seed: number;
  /** The guest runs only while a command does, so that the host's pace does not show in it. */
  holdBetweenCommands: boolean;
}

export class Executor {
  readonly #agent: GuestAgent;
  readonly #parts: ExecutorParts;
  #active = 0;
  #isReady = false;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    const { ports, loop } = parts;
    this.#agent = new GuestAgent({
      seed: parts.seed,
      write: (name, bytes) => {
        ports.write(virtioPort(FIRST_PORT + agentPorts.indexOf(name)), bytes);
        loop.wake();
      },
    });
    agentPorts.forEach((name, i) => {
      ports.listen(virtioPort(FIRST_PORT + i), (bytes) => {
        this.#agent.onBytes(name, bytes);
        // Whoever awaits this output reacts before the guest goes on, at the same instruction in every run.
        loop.endTurn();
      });
    });
    this.#agent.ready.then(
      () => {
        this.#isReady = true;
        this.#holdIfIdle();
      },
      () => {},
    );
  }

  get ready(): Promise<void> {
    return this.#agent.ready;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  exec(command: string, options: ExecOptions): Promise<ExecResult> {
    this.#active++;
    this.#parts.loop.release(NO_COMMAND);
    const result = this.#agent.exec(command, options).finally(() => {
      this.#active--;
      this.#holdIfIdle();
    });
    return options.timeout === undefined ? result : this.#within(options.timeout, command, result);
  }

  /** Asks the guest to end by itself. */
  powerOff(): void {
    this.#active++;
    this.#parts.loop.release(NO_COMMAND);
    this.#agent.poweroff();
  }

  /** The guest is gone. */
  close(error: Error): void {
    this.#agent.close(error);
  }

  #holdIfIdle(): void {
    if (this.#parts.holdBetweenCommands && this.#isReady && this.#active === 0) this.#parts.loop.hold(NO_COMMAND);
  }

  #within(timeout: number, command: string, result: Promise<ExecResult>): Promise<ExecResult> {
    return new Promise((resolve, reject) => {
      const cancel = this.#parts.platform.startTimer(timeout, () => {
        const name = command.length > 60 ? `${command.slice(0, 57)}...` : command;
        reject(
          new ExecError(`"${name}" did not end within ${timeout / 1000} s: allow it more time`, { timedOut: true }),
        );
      });
      result.then(resolve, reject).finally(cancel);
    });
  }
}
