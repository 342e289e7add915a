// What a guest is made of, against the policy that it is to run under: found out before anything runs.
import { OptionError } from "../errors.ts";
import type { Grants } from "../hypercall/resolve-policy.ts";
import { parseMemory } from "../machine/memory-size.ts";
import type { BootKind, GuestOptions } from "./options.ts";

/** @throws OptionError if the policy forbids a device's form or the size of RAM, or cannot be kept in this boot. */
export function checkAgainstPolicy(grants: Grants, options: GuestOptions, boot: BootKind, ramBytes: number): void {
  const { memoryLimit, forms, emulateOver } = grants;
  if (memoryLimit !== undefined) {
    const limit = typeof memoryLimit === "number" ? memoryLimit : parseMemory(memoryLimit);
    if (ramBytes > limit) {
      throw new OptionError(
        `memory of ${ramBytes} bytes is more than the policy's guest.memory.limit of ${limit}: give less, or raise the limit`,
      );
    }
  }
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
