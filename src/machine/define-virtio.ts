// Virtio devices of the caller's own: what a definition says, and whether it can be. How one is run
// is in src/guest/custom-virtio.ts.
import { VirtioCustom } from "../../assembly/abi/virtio.ts";
import { OptionError } from "../errors.ts";

/** What a virtio device's functions are given: its own state, and what it can do to its driver. */
export interface VirtioDevice<State = unknown> {
  /** The device's state. A reset replaces it, so keep no reference to it. */
  state: State;
  /** Guest time in ticks of 10 MHz. */
  readonly ticks: number;
  /**
   * Fills the next room that the driver left in an input queue, and interrupts. Bytes given, fewer where the room is
   * smaller; undefined if there is no room, or no driver: `room` of the queue is called when there is.
   */
  send(queue: string, bytes: Uint8Array): number | undefined;
  /** A copy of the configuration space as the driver sees it. */
  readonly config: Uint8Array;
  /** Sets bytes of it. `notify` (default: yes) tells the driver. @throws HostError if they lie outside. */
  configure(offset: number, bytes: Uint8Array, notify?: boolean): void;
}

/** One request of the driver's: a chain of descriptors. */
export interface VirtioRequest {
  /** What the driver says; a copy. */
  readonly bytes: Uint8Array;
  /** Bytes that the answer may have at once, and later: then, only the first buffer that the driver gave, 8 KiB at most. */
  readonly room: number;
  readonly roomLater: number;
  /**
   * Answers, once: within the handler, or later. An answer to a driver that has started over meanwhile goes nowhere.
   * @throws HostError if there is no room for so much, or the request was answered before.
   */
  answer(bytes?: Uint8Array): void;
}

/** A queue: of requests if it has `handle`, else of room that `send()` fills. */
export interface VirtioQueueDefinition<State> {
  /** For messages and send(). */
  name: string;
  handle?(device: VirtioDevice<State>, request: VirtioRequest): void;
  /** The driver has left room, after there was none. */
  room?(device: VirtioDevice<State>): void;
}

export interface VirtioDefinition<State> {
  /** For messages and counters: letters, digits and ",._+-", at most 31. */
  name: string;
  /** A device that knows it is not real: virtio 1.2, a function on the PCI bus. */
  form: "virtio";
  /** Device identifier by which the driver finds it, 1 to 63 (virtio 1.2, 5). */
  id: number;
  /** Feature bits of the device's own that it offers, 0 to 23. Those of rings and transport are added. Default: none. */
  features?: number[];
  /** Configuration space after power-on, at most 64 bytes. Default: none. */
  config?: Uint8Array;
  /** In the order of the specification, at most 16. */
  queues: VirtioQueueDefinition<State>[];
  /** Entries that queues may have: a power of two up to 256. Default: 64. */
  queueSize?: number;
  /** The state after power-on and each reset, of the machine or by the driver: plain data (anything that structuredClone takes). */
  state(): State;
  /** The driver has written `size` bytes of configuration space at `offset`; they are there already. */
  configWritten?(device: VirtioDevice<State>, offset: number, size: number): void;
}

const QUEUE_SIZE = 64;

/** The definition as the engine takes it (abi/virtio.ts, VirtioCustom). */
export function virtioImage({ id, features = [], config, queues, queueSize = QUEUE_SIZE }: VirtioDefinition<never>) {
  const image = new Uint8Array(VirtioCustom.CONFIG + VirtioCustom.CONFIG_MAX);
  const view = new DataView(image.buffer);
  const bits = (numbers: readonly number[]) => numbers.reduce((sum, bit) => sum | (1 << bit), 0);
  view.setUint32(VirtioCustom.ID, id, true);
  view.setUint32(VirtioCustom.QUEUES, queues.length, true);
  view.setUint32(VirtioCustom.QUEUE_SIZE, queueSize, true);
  view.setUint32(VirtioCustom.CONFIG_SIZE, config?.length ?? 0, true);
  view.setUint32(VirtioCustom.FEATURES, bits(features), true);
  const inputs = queues.flatMap(({ handle }, queue) => (handle === undefined ? [queue] : []));
  view.setUint32(VirtioCustom.INPUTS, bits(inputs), true);
  image.set(config ?? [], VirtioCustom.CONFIG);
  return image;
}

const isWhole = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most;

/** @throws OptionError if no such device can be. */
export function checkVirtio<State>(definition: VirtioDefinition<State>): void {
  const { name, id, features = [], config, queues, queueSize = QUEUE_SIZE } = definition;
  const refuse = (what: string, write: string): never => {
    throw new OptionError(`device ${name}: ${what} cannot be: write ${write}`);
  };
  if (!isWhole(id, 1, 63)) refuse(`id ${id}`, "1 to 63");
  const bit = features.find((it) => !isWhole(it, 0, VirtioCustom.FEATURE_BITS - 1));
  if (bit !== undefined) refuse(`feature ${bit}`, `bits from 0 to ${VirtioCustom.FEATURE_BITS - 1}`);
  if (config !== undefined && config.length > VirtioCustom.CONFIG_MAX) {
    refuse(`${config.length} bytes of configuration space`, `at most ${VirtioCustom.CONFIG_MAX}`);
  }
  if (queues.length === 0 || queues.length > VirtioCustom.QUEUES_MAX) {
    refuse(`${queues.length} queues`, `1 to ${VirtioCustom.QUEUES_MAX}`);
  }
  const names = new Set(queues.map((queue) => queue.name));
  if (names.size < queues.length) throw new OptionError(`device ${name}: two queues have one name: write another`);
  if (!isWhole(queueSize, 1, VirtioCustom.QUEUE_SIZE_MAX) || (queueSize & (queueSize - 1)) !== 0) {
    refuse(`queueSize ${queueSize}`, `a power of two up to ${VirtioCustom.QUEUE_SIZE_MAX}`);
  }
}
