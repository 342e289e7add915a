// The guest's consoles: output of each port collected between slices, input queued until
// the guest takes it, and the one port that people talk to.
import { ConsolePort } from "../../assembly/abi/device.ts";
import { Machine } from "../../assembly/abi/layout.ts";
import { InputQueue, OutputBuffer } from "../backend/console.ts";
import { type Engine, SCRATCH_SIZE } from "../engine/engine.ts";
import type { ConsoleKind } from "./options.ts";

/** What takes a port's output. */
export type PortListener = (bytes: Uint8Array<ArrayBuffer>) => void;

const PORT_OF: Record<ConsoleKind, number> = {
  ns16550a: ConsolePort.UART,
  sbi: ConsolePort.SBI,
  virtio: ConsolePort.VIRTIO,
};

/** Number of the engine's port for port `index` of the virtio console. */
export function virtioPort(index: number): number {
  return ConsolePort.VIRTIO + index;
}

/** Number of the engine's port for the second UART. */
export const SERIAL_PORT: number = ConsolePort.SERIAL;

/** Port that a console of this kind is. */
export function portOf(kind: ConsoleKind): number {
  return PORT_OF[kind];
}

/** Kind of the console that engine port `port` is, or undefined if it is no console. */
export function consoleKindOf(port: number): ConsoleKind | undefined {
  return (Object.keys(PORT_OF) as ConsoleKind[]).find((kind) => PORT_OF[kind] === port);
}

function isConsole(port: number): boolean {
  return port === ConsolePort.UART || port === ConsolePort.SBI || port === ConsolePort.VIRTIO;
}

export class ConsolePorts {
  readonly #output = new Map<number, OutputBuffer>();
  readonly #input = new Map<number, InputQueue>();
  readonly #listeners = new Map<number, PortListener>();
  /** Called with all consoles' output, in the order of slices. */
  readonly #onConsole: (bytes: Uint8Array<ArrayBuffer>, port: number) => void;

  constructor(onConsole: (bytes: Uint8Array<ArrayBuffer>, port: number) => void) {
    this.#onConsole = onConsole;
  }

  /** Takes the output of a port that is no console. */
  listen(port: number, listener: PortListener): void {
    this.#listeners.set(port, listener);
  }

  /** host.consoleOut: the bytes are the engine's and are copied. */
  put(port: number, bytes: Uint8Array): void {
    let buffer = this.#output.get(port);
    if (buffer === undefined) {
      buffer = new OutputBuffer();
      this.#output.set(port, buffer);
    }
    buffer.push(bytes);
  }

  /** `taken` is called when the guest has all of the bytes, or will never have them. */
  write(port: number, bytes: Uint8Array, taken?: () => void): void {
    let queue = this.#input.get(port);
    if (queue === undefined) {
      queue = new InputQueue();
      this.#input.set(port, queue);
    }
    queue.push(bytes, taken);
  }

  /** Gives the guest as much queued input as it takes now. */
  deliver(engine: Engine): boolean {
    let delivered = false;
    for (const [to, queue] of this.#input) {
      // A kernel with the SBI's console may have that as its first, hvc0, where it has a virtio console as well.
      const port = to === ConsolePort.VIRTIO && engine.exports.sbiConsoleRead() !== 0 ? ConsolePort.SBI : to;
      while (!queue.isEmpty) {
        if (engine.exports.consoleInputReady(port) === 0) break;
        const length = engine.writeScratch(queue.peek(SCRATCH_SIZE));
        const accepted = engine.exports.consoleInput(port, Machine.SCRATCH, length);
        if (accepted <= 0) break;
        queue.drop(accepted);
        delivered = true;
      }
    }
    return delivered;
  }

  /** Hands the output of ports that are no console to their listeners. */
  collect(): void {
    for (const [port, buffer] of this.#output) {
      if (buffer.length === 0 || isConsole(port)) continue;
      const bytes = buffer.take();
      this.#listeners.get(port)?.(bytes);
    }
  }

  /** Hands out the consoles' output. */
  publish(): void {
    for (const [port, buffer] of this.#output) {
      if (buffer.length > 0 && isConsole(port)) this.#onConsole(buffer.take(), port);
    }
  }

  /** Forgets input that a machine about to restart has not taken. */
  clearInput(): void {
    const queues = [...this.#input.values()];
    this.#input.clear();
    for (const queue of queues) queue.clear();
  }
}
