// The other side of a guest's sockets that are measured: a host in memory with the services of
// net-peer.ts. Port 7 echoes, port 9 discards.
import type { VsockBackend, VsockStream, VsockStreamEvents } from "../backend/vsock/vsock-backend.ts";
import { Service } from "./net-peer.ts";

const NO_EVENTS: VsockStreamEvents = { readable() {}, ended() {}, closed() {} };

class Stream implements VsockStream {
  readonly #isEcho: boolean;
  #events = NO_EVENTS;
  #waiting: Uint8Array[] = [];

  constructor(isEcho: boolean) {
    this.#isEcho = isEcho;
  }

  start(events: VsockStreamEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (this.#isEcho) {
      this.#waiting.push(bytes);
      this.#events.readable();
    }
    done();
  }

  read(most: number): Uint8Array | undefined {
    const next = this.#waiting.shift();
    if (next === undefined || next.length <= most) return next;
    this.#waiting.unshift(next.subarray(most));
    return next.subarray(0, most);
  }

  end(): void {
    this.#events.ended();
  }

  finish(): void {
    this.#events.closed();
  }

  destroy(): void {
    this.#waiting = [];
    this.#events.closed();
  }
}

export class MemoryVsock implements VsockBackend {
  readonly name = "memory";

  connect(port: number, opened: (stream: VsockStream | undefined) => void): void {
    const isKnown = port === Service.ECHO || port === Service.DISCARD;
    opened(isKnown ? new Stream(port === Service.ECHO) : undefined);
  }

  listen(): void {}

  close(): void {}
}
