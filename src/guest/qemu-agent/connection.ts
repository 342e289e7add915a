// A conversation with qemu-guest-agent: one request at a time, replies in order and without
// any name. So each conversation begins with guest-sync-delimited, whose reply repeats a
// number of ours: what came before it belongs to requests that were given up. Until it has
// come, nothing else is said: no request reaches a guest that nobody waits for any more.
import { AgentError } from "../../errors.ts";
import { LineReader, parseReply, type Reply, Result } from "./replies.ts";

const SYNC = "guest-sync-delimited";
/** Ends what an agent may have half read. */
const SENTINEL = 0xff;

export interface AgentTransport {
  /** Sends bytes to the agent, whatever port it listens on. */
  write(bytes: Uint8Array): void;
  startTimer(milliseconds: number, wake: () => void): () => void;
  /** A number that is hard to guess for the guest: 0 to 2^31 - 1. */
  randomNumber(): number;
}

export interface CallOptions {
  /** Milliseconds until the call fails. Default: 10 s. */
  timeout?: number;
}

export const DEFAULT_TIMEOUT = 10_000;

type Arguments = Record<string, unknown>;

/** `timeout` milliseconds from some moment on. */
interface Deadline {
  timeout: number;
  ended: Promise<void>;
  cancel(): void;
}

export class AgentConnection {
  readonly #transport: AgentTransport;
  readonly #reader = new LineReader();
  /** Ends when the call before it has ended. */
  #turn: Promise<unknown> = Promise.resolve();
  #isSynced = false;
  #waiting:
    | { resolve(reply: Reply): void; reject(error: Error): void; accepts(reply: Reply, delimited: boolean): boolean }
    | undefined;
  #closed: Error | undefined;

  constructor(transport: AgentTransport) {
    this.#transport = transport;
  }

  /** What came out of the port. */
  receive(bytes: Uint8Array): void {
    for (const { text, isDelimited } of this.#reader.push(bytes)) {
      const reply = parseReply(text);
      const waiting = this.#waiting;
      if (waiting === undefined) continue;
      if (reply === undefined) {
        // In the middle of a conversation that is no answer; before it, anything may come.
        if (this.#isSynced) waiting.reject(new AgentError("the guest's agent answered with what is no reply"));
        continue;
      }
      if (waiting.accepts(reply, isDelimited)) waiting.resolve(reply);
    }
  }

  /**
   * One command of the agent's. Calls queue up.
   * @throws AgentError if the agent refuses it, answers nonsense, or does not answer in time.
   */
  call(command: string, args?: Arguments, options: CallOptions = {}): Promise<Result> {
    return this.#queue(async () => {
      const end = this.#deadline(options);
      await this.#synchronize(command, end);
      return this.#checked(command, await this.#ask(command, args, end, () => true));
    });
  }

  /** A command that is not answered if it succeeds: waits a little for a refusal. */
  tell(command: string, args: Arguments, patience: number, options: CallOptions = {}): Promise<void> {
    return this.#queue(async () => {
      await this.#synchronize(command, this.#deadline(options));
      let reply: Reply;
      try {
        reply = await this.#ask(command, args, this.#deadline({ timeout: patience }), () => true);
      } catch (error) {
        if (error instanceof AgentError && error.timedOut) return;
        throw error;
      }
      this.#checked(command, reply);
    });
  }

  /** The agent or the guest has started over. */
  restart(): void {
    this.#isSynced = false;
  }

  close(error: Error): void {
    this.#closed ??= error;
    this.#waiting?.reject(this.#closed);
  }

  #queue<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(() => {
      if (this.#closed !== undefined) throw this.#closed;
      return work();
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  #deadline({ timeout = DEFAULT_TIMEOUT }: CallOptions): Deadline {
    let cancel = () => {};
    const ended = new Promise<void>((resolve) => {
      cancel = this.#transport.startTimer(timeout, resolve);
    });
    return { timeout, ended, cancel: () => cancel() };
  }

  async #synchronize(command: string, end: Deadline): Promise<void> {
    if (this.#isSynced) return;
    const id = this.#transport.randomNumber();
    this.#transport.write(Uint8Array.of(SENTINEL));
    try {
      await this.#ask(SYNC, { id }, end, (reply, delimited) => delimited && "result" in reply && reply.result === id);
    } catch (error) {
      end.cancel();
      if (!(error instanceof AgentError) || !error.timedOut) throw error;
      throw new AgentError(
        `${command}: the guest's agent did not answer within ${end.timeout / 1000} s: start qemu-guest-agent in the guest`,
        { timedOut: true },
      );
    }
    this.#isSynced = true;
  }

  async #ask(
    command: string,
    args: Arguments | undefined,
    end: Deadline,
    accepts: (reply: Reply, delimited: boolean) => boolean,
  ): Promise<Reply> {
    const request = args === undefined ? { execute: command } : { execute: command, arguments: args };
    try {
      return await new Promise<Reply>((resolve, reject) => {
        this.#waiting = { resolve, reject, accepts };
        end.ended.then(() => {
          reject(
            new AgentError(`${command}: the guest's agent did not answer within ${end.timeout / 1000} s`, {
              timedOut: true,
            }),
          );
        });
        this.#transport.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
      });
    } catch (error) {
      // Its reply may still come, and must not be taken for another's.
      this.#isSynced = false;
      throw error;
    } finally {
      this.#waiting = undefined;
      if (command !== SYNC) end.cancel();
    }
  }

  #checked(command: string, reply: Reply): Result {
    if ("result" in reply) return new Result(command, reply.result);
    const { class: kind, description } = reply.error;
    throw new AgentError(`${command}: the guest's agent refused: ${description || kind}`, { agentClass: kind });
  }
}
