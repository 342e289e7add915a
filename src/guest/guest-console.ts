// What the caller holds of a guest's streams of bytes: the console that people use, and ports by name.
import { type ConsolePorts, portOf } from "./console-ports.ts";
import type { ConsoleKind } from "./options.ts";

/** The console that people use. */
export interface GuestConsole {
  /** Queues input; the guest takes it when it is ready. */
  write(data: string | Uint8Array): void;
  /** Adds a listener for every console's output; the result removes it. */
  onData(listener: (bytes: Uint8Array, port: number) => void): () => void;
  /** Tells the guest the terminal's size; the virtio console passes it on. */
  resize(columns: number, rows: number): void;
}

/** A stream of bytes between host and guest, by the name that `ports` or `serial` gave it. */
export interface GuestPort {
  /**
   * Queues bytes; the guest takes them when it listens. `taken` is called when it has all of them, or will never have
   * them since it restarts: whoever has much to say waits for that.
   */
  write(data: string | Uint8Array, taken?: () => void): void;
  /** Calls `listener` with what the guest writes, in place of an earlier listener. The array belongs to it. */
  onData(listener: (bytes: Uint8Array) => void): void;
}

const bytesOf = (data: string | Uint8Array) => (typeof data === "string" ? new TextEncoder().encode(data) : data);

/** `wake` is for a guest that sleeps when there is something to take. */
export interface StreamParts {
  ports: ConsolePorts;
  wake(): void;
}

export interface ConsoleParts extends StreamParts {
  kind: ConsoleKind;
  listeners: Set<(bytes: Uint8Array, port: number) => void>;
  resize(columns: number, rows: number): void;
}

export function guestConsole({ kind, ports, listeners, resize, wake }: ConsoleParts): GuestConsole {
  const port = portOf(kind);
  return {
    write: (data) => {
      ports.write(port, bytesOf(data));
      wake();
    },
    onData: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resize,
  };
}

/** The port of that number. */
export function guestPort(port: number, { ports, wake }: StreamParts): GuestPort {
  return {
    write: (data, taken) => {
      ports.write(port, bytesOf(data), taken);
      wake();
    },
    onData: (listener) => ports.listen(port, listener),
  };
}
