// Devices of the caller's own: what a definition says, and whether it can be. How one is run
// is in src/guest/custom-devices.ts.
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { OptionError } from "../errors.ts";
import { checkVirtio, type VirtioDefinition } from "./define-virtio.ts";
import type { PropertyValue } from "./device-tree.ts";

/** What a register's functions are given: the device's own state, and what it can do to the machine. */
export interface CustomDevice<State = unknown> {
  /** The device's state. A reset replaces it, so keep no reference to it. */
  state: State;
  /** Drives the interrupt wire: level-triggered, so high until the driver has seen to it. Needs `interrupt: true`. */
  interrupt(level: boolean): void;
  /** Guest time in ticks of 10 MHz. */
  readonly ticks: number;
}

/** One register. Without `read` it reads 0, without `write` it ignores writes; accesses of another width do both. */
export interface CustomRegister<State> {
  /** From the start of the window, a multiple of `size`. */
  offset: number;
  /** Bytes: 1, 2 or 4 (default). */
  size?: 1 | 2 | 4;
  /** An unsigned number; bits above the register's size are cut off. */
  read?(device: CustomDevice<State>): number;
  /** `value` is unsigned. */
  write?(device: CustomDevice<State>, value: number): void;
}

export interface DeviceDefinition<State> {
  /** For messages, counters and the device tree's node: letters, digits and ",._+-", at most 31. */
  name: string;
  /** A device with registers, as one that could really be built. */
  form: "emulated";
  /** What a driver matches in the device tree, the most specific first. */
  compatible: string[];
  /** Bytes of the window that registers lie in, a multiple of 4, at most 1 MiB. */
  size: number;
  /** Has the device an interrupt wire? Default: no. */
  interrupt?: boolean;
  /** Further properties of the device tree's node. */
  properties?: Record<string, PropertyValue>;
  /** The state after power-on and each reset: plain data, so that it can be saved (anything that structuredClone takes). */
  state(): State;
  /** By name; names appear in the exit counters. */
  registers: Record<string, CustomRegister<State>>;
}

/** A definition that was checked; what it keeps as state is its own affair. */
export interface DefinedDevice {
  readonly name: string;
  readonly definition: AnyDefinition;
}

/** A device with registers, or one with virtqueues. */
export type AnyDefinition = DeviceDefinition<unknown> | VirtioDefinition<unknown>;

const MOST_BYTES: number = PhysicalMap.CUSTOM_STRIDE;
/** Properties that follow from the rest of the definition. */
const OWN_PROPERTIES = ["compatible", "reg", "interrupts", "interrupt-parent", "phandle"];

function checkRegisters(name: string, size: number, registers: Record<string, CustomRegister<never>>): void {
  const taken = new Map<number, string>();
  for (const [register, { offset, size: width = 4 }] of Object.entries(registers)) {
    const what = `device ${name}, register ${register}`;
    if (![1, 2, 4].includes(width)) throw new OptionError(`${what}: ${width} bytes cannot be: write 1, 2 or 4`);
    if (!Number.isInteger(offset) || offset < 0 || offset % width !== 0 || offset + width > size) {
      throw new OptionError(
        `${what}: offset ${offset} cannot be: write a multiple of ${width} that leaves it below ${size}`,
      );
    }
    for (let byte = offset; byte < offset + width; byte++) {
      const other = taken.get(byte);
      if (other !== undefined) throw new OptionError(`${what} overlaps ${other}: give them offsets of their own`);
      taken.set(byte, register);
    }
  }
}

/**
 * Defines a device, to be given to guests as `devices: [...]`. Each guest has an instance of it with a state of its own.
 * The device tree tells the guest where it is; a driver finds it by `compatible`.
 *
 * ```ts
 * const dice = defineDevice({
 *   name: "dice",
 *   form: "emulated",
 *   compatible: ["acme,dice"],
 *   size: 0x1000,
 *   interrupt: true,
 *   state: () => ({ sides: 6, value: 0 }),
 *   registers: {
 *     SIDES: { offset: 0, read: ({ state }) => state.sides, write: ({ state }, n) => { state.sides = n || 1; } },
 *     THROW: { offset: 4, write(dice) { dice.state.value = 1 + (dice.ticks % dice.state.sides); dice.interrupt(true); } },
 *     VALUE: { offset: 8, read(dice) { dice.interrupt(false); return dice.state.value; } },
 *   },
 * });
 * ```
 *
 * With `form: "virtio"` it has virtqueues in place of registers, and is a function on the PCI bus:
 *
 * ```ts
 * const entropy = defineDevice({
 *   name: "entropy",
 *   form: "virtio",
 *   id: 4,
 *   state: () => ({ bytes: 0 }),
 *   queues: [{ name: "requests", handle: ({ state }, request) => {
 *     state.bytes += request.room;
 *     request.answer(new Uint8Array(request.room).fill(4)); // chosen by fair dice
 *   } }],
 * });
 * ```
 * @throws OptionError if no such device can be.
 */
export function defineDevice<State>(definition: DeviceDefinition<State> | VirtioDefinition<State>): DefinedDevice {
  const { name, form } = definition;
  if (!/^[A-Za-z][A-Za-z0-9,._+-]{0,30}$/.test(name)) {
    throw new OptionError(
      `"${name}" is no name for a device: write a letter, then letters, digits or ",._+-", at most 31 in all`,
    );
  }
  if (definition.form === "virtio") checkVirtio(definition);
  else if (definition.form === "emulated") checkEmulated(definition);
  else throw new OptionError(`device ${name}: form "${form}" cannot be: write emulated or virtio`);
  return { name, definition: definition as AnyDefinition };
}

function checkEmulated<State>({ name, compatible, size, properties = {}, registers }: DeviceDefinition<State>): void {
  if (compatible.length === 0 || compatible.some((text) => !/^[\x21-\x7e]+$/.test(text))) {
    throw new OptionError(`device ${name}: compatible needs at least one string of printable ASCII without spaces`);
  }
  if (!Number.isInteger(size) || size <= 0 || size % 4 !== 0 || size > MOST_BYTES) {
    throw new OptionError(`device ${name}: ${size} bytes cannot be: write a multiple of 4, at most ${MOST_BYTES}`);
  }
  const own = OWN_PROPERTIES.find((property) => property in properties);
  if (own !== undefined) throw new OptionError(`device ${name}: property ${own} follows from the rest: leave it out`);
  checkRegisters(name, size, registers);
}
