// What the options of a virtio disk come to: the transport it sits behind, and the flags
// that its device is attached with.
import { VirtioAttach } from "../../assembly/abi/virtio.ts";
import { OptionError } from "../errors.ts";
import type { DiskOptions, RingKind } from "./options.ts";

const MOST_QUEUES = 16;
/** Options that mean something to a virtio disk alone. */
const OWN = ["transport", "queues", "ring", "indirect", "notificationData"] as const;

export interface VirtioDisk {
  transport: "mmio" | "pci";
  /** VirtioAttach. */
  flags: number;
}

/** What a disk takes from the guest that it is part of, where it says nothing itself. */
export interface VirtioDefaults {
  harts: number;
  ring: RingKind;
  transport: "mmio" | "pci";
}

/** Flags of every virtio device of a guest with rings of this kind. */
export function ringFlags(ring: RingKind): number {
  return ring === "packed" ? VirtioAttach.RING_PACKED : 0;
}

/** @throws OptionError if `ring` is none. */
export function checkRing(ring: string, of: string): RingKind {
  if (ring === "split" || ring === "packed") return ring;
  throw new OptionError(`${of}: "${ring}" is no kind of ring: write split or packed`);
}

/** @throws OptionError if an option cannot be. */
export function virtioDisk(options: DiskOptions, name: string, defaults: VirtioDefaults): VirtioDisk {
  const transport = options.transport ?? defaults.transport;
  if (transport !== "mmio" && transport !== "pci") {
    throw new OptionError(`disk ${name}: "${transport}" is no transport: write pci or mmio`);
  }
  const queues = options.queues ?? defaults.harts;
  if (!Number.isInteger(queues) || queues < 1 || queues > MOST_QUEUES) {
    throw new OptionError(`disk ${name} cannot have ${queues} queues: write a whole number from 1 to ${MOST_QUEUES}`);
  }
  const ring = checkRing(options.ring ?? defaults.ring, `disk ${name}`);
  const flags =
    ringFlags(ring) |
    (options.indirect ? 0 : VirtioAttach.NO_INDIRECT) |
    (options.notificationData ? VirtioAttach.NOTIFICATION_DATA : 0) |
    (queues << VirtioAttach.QUEUES_SHIFT);
  return { transport, flags };
}

/** @throws OptionError if a disk that is no virtio disk has options of one. */
export function checkNoVirtioOptions(options: DiskOptions, name: string): void {
  const given = OWN.find((key) => options[key] !== undefined);
  if (given !== undefined) {
    throw new OptionError(`disk ${name}: ${given} is for virtio disks: leave it out, or attach the disk as virtio`);
  }
}
