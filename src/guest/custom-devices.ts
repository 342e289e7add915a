// The devices that the caller defined, as one guest has them: each with its state, answering
// the engine's calls by number and register.
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import type { ExitCount } from "../engine/exit-counters.ts";
import { HostError, OptionError } from "../errors.ts";
import type { CustomDevice, CustomRegister, DefinedDevice, DeviceDefinition } from "../machine/define-device.ts";
import type { VirtioDevice } from "../machine/define-virtio.ts";
import { VirtioInstance, type VirtioReach } from "./custom-virtio.ts";

const MOST_DEVICES: number = PhysicalMap.CUSTOM_DEVICES;

/** What devices ask of the machine that they are part of. */
export interface CustomDeviceHost {
  interrupt(index: number, level: boolean): void;
  ticks(): number;
  /** The way to the virtqueues of device `index`. */
  virtio(index: number): VirtioReach;
}

/** One device of one guest, for the caller. What its form does not have throws a HostError. */
export interface CustomDeviceHandle extends CustomDevice, VirtioDevice {
  state: unknown;
  readonly name: string;
  /** A copy of the state, to be kept. */
  save(): unknown;
  /** Takes a copy of what save() gave. */
  restore(state: unknown): void;
}

const BITS = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;
type Size = keyof typeof BITS;

interface NamedRegister extends CustomRegister<unknown> {
  name: string;
}

class Instance implements CustomDeviceHandle {
  readonly name: string;
  state: unknown;
  readonly #defined: DeviceDefinition<unknown>;
  readonly #index: number;
  readonly #host: CustomDeviceHost;
  readonly #registers: Map<number, NamedRegister>;

  constructor(defined: DeviceDefinition<unknown>, index: number, host: CustomDeviceHost) {
    this.name = defined.name;
    this.#defined = defined;
    this.#index = index;
    this.#host = host;
    const registers = Object.entries(defined.registers);
    this.#registers = new Map(registers.map(([name, register]) => [register.offset, { ...register, name }]));
    this.reset();
  }

  reset(): void {
    this.state = this.#defined.state();
  }

  interrupt(level: boolean): void {
    if (this.#defined.interrupt !== true) {
      throw new HostError(`device ${this.name} has no interrupt: define it with interrupt: true`);
    }
    this.#host.interrupt(this.#index, level);
  }

  get ticks(): number {
    return this.#host.ticks();
  }

  save(): unknown {
    return structuredClone(this.state);
  }

  restore(state: unknown): void {
    this.state = structuredClone(state);
  }

  send(): number | undefined {
    throw this.#notVirtio();
  }

  get config(): Uint8Array {
    throw this.#notVirtio();
  }

  configure(): void {
    throw this.#notVirtio();
  }

  #notVirtio(): HostError {
    return new HostError(`device ${this.name} has no virtqueues: define it with form: "virtio"`);
  }

  read(offset: number, size: Size): number {
    return ((this.#find(offset, size)?.read?.(this) ?? 0) & BITS[size]) >>> 0;
  }

  write(offset: number, size: Size, value: number): void {
    this.#find(offset, size)?.write?.(this, (value & BITS[size]) >>> 0);
  }

  /** Name of the register that begins at `offset`. */
  registerName(offset: number): string | undefined {
    return this.#registers.get(offset)?.name;
  }

  #find(offset: number, size: Size): NamedRegister | undefined {
    const register = this.#registers.get(offset);
    return register !== undefined && (register.size ?? 4) === size ? register : undefined;
  }
}

/** @throws OptionError if there are too many, or two of one name. */
export function checkCustomDevices(devices: readonly DefinedDevice[]): void {
  if (devices.length > MOST_DEVICES) {
    throw new OptionError(`${devices.length} devices of your own: a guest has room for ${MOST_DEVICES}`);
  }
  const names = new Set<string>();
  for (const { name } of devices) {
    if (names.has(name)) throw new OptionError(`two devices are called ${name}: define them with names of their own`);
    names.add(name);
  }
}

export class CustomDevices {
  readonly #registers = new Map<number, Instance>();
  readonly #virtio = new Map<number, VirtioInstance>();

  constructor(devices: readonly DefinedDevice[], host: CustomDeviceHost) {
    for (const [index, { definition }] of devices.entries()) {
      if (definition.form === "virtio") this.#virtio.set(index, new VirtioInstance(definition, host.virtio(index)));
      else this.#registers.set(index, new Instance(definition, index, host));
    }
  }

  /** @throws OptionError if no device has this name. */
  get(name: string): CustomDeviceHandle {
    const found = [...this.#registers.values(), ...this.#virtio.values()].find((instance) => instance.name === name);
    if (found === undefined) throw new OptionError(`this guest has no device ${name}: give it in devices`);
    return found;
  }

  /** Every device back to its state at power-on. */
  reset(): void {
    for (const instance of this.#registers.values()) instance.reset();
    for (const instance of this.#virtio.values()) instance.reset();
  }

  /** The device with virtqueues at place `device`. */
  virtio(device: number): VirtioInstance | undefined {
    return this.#virtio.get(device);
  }

  read(device: number, offset: number, size: number): number {
    return this.#registers.get(device)?.read(offset, size as Size) ?? 0;
  }

  write(device: number, offset: number, size: number, value: number): void {
    this.#registers.get(device)?.write(offset, size as Size, value);
  }

  /** The counter of an access to one of these devices, with its names in place of numbers. */
  named(count: ExitCount): ExitCount {
    const instance = this.#registers.get(count.instance);
    if (count.kind !== "device" || count.name !== "custom" || instance === undefined) return count;
    const registerName = instance.registerName(count.register ?? -1) ?? count.registerName;
    return { ...count, name: instance.name, registerName };
  }
}
