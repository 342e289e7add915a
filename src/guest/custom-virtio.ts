// A virtio device that the caller defined, as one guest has it.
import { VirtioCustom } from "../../assembly/abi/virtio.ts";
import type { Pieces } from "../backend/pieces.ts";
import { HostError } from "../errors.ts";
import type { VirtioDefinition, VirtioRequest } from "../machine/define-virtio.ts";
import type { CustomDeviceHandle } from "./custom-devices.ts";

/** What such a device asks of the engine. */
export interface VirtioReach {
  /** Bytes that one call may carry. */
  readonly most: number;
  ticks(): number;
  /** Bytes given, or -1. */
  give(queue: number, bytes: Uint8Array): number;
  /** An answer to the request that was called `tag`. */
  done(tag: number, bytes: Uint8Array): void;
  config(): Uint8Array;
  setConfig(offset: number, bytes: Uint8Array, notify: boolean): void;
}

class Request implements VirtioRequest {
  readonly bytes: Uint8Array;
  readonly room: number;
  readonly roomLater: number;
  readonly #what: string;
  readonly #late: (bytes: Uint8Array) => void;
  /** Of meaning while the handler runs. */
  #now: Pieces | undefined;
  #length = 0;
  #isAnswered = false;

  constructor(what: string, request: Pieces, room: Pieces, most: number, late: (bytes: Uint8Array) => void) {
    this.#what = what;
    this.bytes = request.copy(0, request.length);
    this.room = room.length;
    this.roomLater = Math.min(room.pieces[0]?.length ?? 0, most);
    this.#now = room;
    this.#late = late;
  }

  answer(bytes: Uint8Array = new Uint8Array()): void {
    if (this.#isAnswered) throw new HostError(`${this.#what}: a request was answered twice: answer it once`);
    const room = this.#now === undefined ? this.roomLater : this.room;
    if (bytes.length > room) {
      throw new HostError(`${this.#what}: an answer of ${bytes.length} bytes has room for ${room}: give fewer`);
    }
    this.#isAnswered = true;
    if (this.#now === undefined) this.#late(bytes);
    else {
      this.#now.put(0, bytes);
      this.#length = bytes.length;
    }
  }

  /** The handler has returned: bytes of its answer, or VirtioCustom.LATER. */
  end(): number {
    this.#now = undefined;
    return this.#isAnswered ? this.#length : VirtioCustom.LATER;
  }
}

export class VirtioInstance implements CustomDeviceHandle {
  readonly name: string;
  state: unknown;
  readonly #definition: VirtioDefinition<unknown>;
  readonly #reach: VirtioReach;

  constructor(definition: VirtioDefinition<unknown>, reach: VirtioReach) {
    this.name = definition.name;
    this.#definition = definition;
    this.#reach = reach;
    this.state = definition.state();
  }

  reset(): void {
    this.state = this.#definition.state();
  }

  get ticks(): number {
    return this.#reach.ticks();
  }

  interrupt(): void {
    throw new HostError(`device ${this.name} has no wire: its queues interrupt by themselves`);
  }

  get config(): Uint8Array {
    return this.#reach.config();
  }

  send(queue: string, bytes: Uint8Array): number | undefined {
    const { queues } = this.#definition;
    const index = queues.findIndex((it) => it.name === queue);
    if (index < 0 || queues[index].handle !== undefined) {
      throw new HostError(`device ${this.name} has no input queue ${queue}: name one that has no handle`);
    }
    if (bytes.length > this.#reach.most) {
      throw new HostError(`device ${this.name}: ${bytes.length} bytes are too many at once: send ${this.#reach.most}`);
    }
    const given = this.#reach.give(index, bytes);
    return given < 0 ? undefined : given;
  }

  configure(offset: number, bytes: Uint8Array, notify = true): void {
    const size = this.#definition.config?.length ?? 0;
    if (!Number.isInteger(offset) || offset < 0 || offset + bytes.length > size) {
      throw new HostError(`device ${this.name}: its configuration space has ${size} bytes: stay within them`);
    }
    this.#reach.setConfig(offset, bytes, notify);
  }

  save(): unknown {
    return structuredClone(this.state);
  }

  restore(state: unknown): void {
    this.state = structuredClone(state);
  }

  /** host.customRequest */
  request(queue: number, tag: number, request: Pieces, room: Pieces): number {
    const { name, handle } = this.#definition.queues[queue];
    const what = `device ${this.name}, queue ${name}`;
    const asked = new Request(what, request, room, this.#reach.most, (bytes) => this.#reach.done(tag, bytes));
    handle?.(this, asked);
    return asked.end();
  }

  /** host.customRoom */
  room(queue: number): void {
    this.#definition.queues[queue]?.room?.(this);
  }

  configWritten(offset: number, size: number): void {
    this.#definition.configWritten?.(this, offset, size);
  }
}
