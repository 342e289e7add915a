// What a guest is made of, against the policy that it is to run under: found out before anything runs.
import { OptionError } from "../errors.ts";
import type { Grants } from "../hypercall/resolve-policy.ts";
import { parseMemory } from "../machine/memory-size.ts";
import type { BootKind, GuestOptions } from "./options.ts";

/** Bytes of the policy's guest.memory.limit, or Infinity. */
export function memoryLimitOf({ memoryLimit = Number.POSITIVE_INFINITY }: Grants): number {
  return typeof memoryLimit === "number" ? memoryLimit : parseMemory(memoryLimit);
}

/**
 * What a guest has from the start, against its limit: RAM, and persistent memory, which lies in guest memory too. What it may plug
 * is looked at when it is asked for.
 * @throws OptionError if it is too much.
 */
export function checkMemoryLimit(limit: number, ramBytes: number, pmemBytes: number): void {
  if (ramBytes + pmemBytes <= limit) return;
  const what =
    pmemBytes === 0 ? `memory of ${ramBytes} bytes is` : `memory of ${ramBytes} bytes and pmem of ${pmemBytes} are`;
  throw new OptionError(`${what} more than the policy's guest.memory.limit of ${limit}: give less, or raise the limit`);
}

/** @throws OptionError if the policy forbids a device's form, or cannot be kept in this boot. */
export function checkAgainstPolicy(grants: Grants, options: GuestOptions, boot: BootKind): void {
  const { forms, emulateOver } = grants;
  if (boot === "firmware" && (options.hypercalls?.length ?? 0) > 0) {
    throw new OptionError(
      'hypercalls do not reach the host in a firmware boot, where the guest\'s own firmware serves them: use boot: "paravirt"',
    );
  }
  for (const name of [...new Set([...forms.keys(), ...emulateOver])]) {
    const form = formOf(name, options);
    if (form === undefined) throw new OptionError(`policy: devices.${name}: the guest has no ${name}: leave it out`);
    const allowed = forms.get(name);
    if (allowed !== undefined && !allowed.includes(form)) {
      throw new OptionError(
        `${name} is ${form}, and the policy allows ${allowed.join(" and ")} alone: attach another device`,
      );
    }
    if (emulateOver.has(name) && allowed?.includes("emulated") === false) {
      throw new OptionError(`policy: devices.${name}: "emulate" needs "emulated" among its forms: add it`);
    }
  }
}

function formOf(name: string, { disks = [], nets = [], console }: GuestOptions): "emulated" | "paravirt" | undefined {
  if (name === "console") return console === "ns16550a" ? "emulated" : "paravirt";
  const number = Number(/[0-9]+$/.exec(name)?.[0]);
  if (name.startsWith("disk")) {
    return disks[number] && ((disks[number].if ?? "virtio") === "virtio" ? "paravirt" : "emulated");
  }
  return nets[number] && ((nets[number].model ?? "virtio") === "virtio" ? "paravirt" : "emulated");
}
