// Moves devices of a guest that went past their budget to the emulated form, where the policy says so: at a
// reset, for no driver expects another device under it while it runs.
import type { AttachedDisk, MachinePlan } from "./machine.ts";
import { AHCI_PORTS, E1000_CONTROLLERS, NVME_CONTROLLERS } from "./machine.ts";
import type { AttachedNet } from "./net-options.ts";

/** The emulated device that there is room for in place of a virtio disk; undefined if there is none. */
function emulatedDisk(disks: readonly AttachedDisk[]): "nvme" | "ahci" | undefined {
  const count = (device: string) => disks.filter((disk) => disk.device === device).length;
  if (count("nvme") < NVME_CONTROLLERS) return "nvme";
  return count("ahci") < AHCI_PORTS ? "ahci" : undefined;
}

function moveDisk(plan: MachinePlan, index: number): string | undefined {
  const disk = plan.disks[index];
  if (disk?.device !== "virtio") return undefined;
  const device = emulatedDisk(plan.disks);
  if (device === undefined) return undefined;
  plan.disks = plan.disks.map((it, n) => (n === index ? { backend: disk.backend, device } : it));
  return device;
}

function moveNet(plan: MachinePlan, index: number): string | undefined {
  const net = plan.nets[index];
  if (net?.model !== "virtio") return undefined;
  if (plan.nets.filter(({ model }) => model !== "virtio").length >= E1000_CONTROLLERS) return undefined;
  plan.nets = plan.nets.map((it, n): AttachedNet => (n === index ? { ...net, model: "e1000" } : it));
  return "e1000";
}

/**
 * Changes `plan` so that the devices of these names ("disk0", "net1"; "guest" for all of them) are emulated. What it did, and
 * what it could not for want of room, a line each. `firstDisk` is the number of the caller's first disk.
 */
export function emulateDevices(plan: MachinePlan, names: readonly string[], firstDisk: number): string[] {
  const all = [...plan.disks.slice(firstDisk).map((_, n) => `disk${n}`), ...plan.nets.map((_, n) => `net${n}`)];
  const wanted = new Set(names.includes("guest") ? all : names);
  return all
    .filter((name) => wanted.has(name))
    .flatMap((name) => {
      const number = Number(/[0-9]+$/.exec(name)?.[0]);
      const isDisk = name.startsWith("disk");
      const index = isDisk ? number + firstDisk : number;
      if ((isDisk ? plan.disks[index].device : plan.nets[index].model) !== "virtio") return [];
      const device = isDisk ? moveDisk(plan, index) : moveNet(plan, index);
      if (device === undefined) return [`${name} is past its budget, but there is no room for an emulated device`];
      return [`${name} went past its budget: from this reset on it is ${device}, as the policy says`];
    });
}
