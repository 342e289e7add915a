// The boots of Debian that rows need. A kernel message goes to every console that is registered, a
// timer interface and an interrupt controller are chosen once, at boot, and harts cannot come and go:
// so what differs in these needs boots of its own. What can share a boot does.
import type { CompareGuestOptions } from "../work.ts";

export type BootKind = "sbi" | "network" | "links" | "harts" | "aia" | "clint" | "guests" | "firmware" | "sstc";

export type DiskDevice = "nvme" | "nvme-dbbuf" | "ahci" | "virtio";
export type NetDevice = "e1000" | "e1000e" | "virtio-net";

export interface BootSettings {
  description: string;
  options: CompareGuestOptions;
  /** Disks to be measured, in the order in which the guest gets them. */
  disks?: readonly DiskDevice[];
  /** Another disk in guest memory. */
  pmem?: boolean;
  /** Network devices, each on a network of its own with a host in memory. */
  networks?: readonly NetDevice[];
  /** Network devices, each on a switch with one of a second guest. */
  switched?: readonly NetDevice[];
  /** What links the guest to its host: folder, sockets, second serial port, balloon. */
  links?: boolean;
  /** Needs the host's clock: what comes over a network comes when the host has time for it. */
  hostClock?: boolean;
  /** The quick form does without it. */
  isLong?: boolean;
}

const COMMON = "quiet panic=1 printk.devkmsg=on";
const ON_VIRTIO = { console: "virtio", append: `console=hvc0 ${COMMON}` } as const;

/** In the order in which they are made. */
export const BOOTS: Record<BootKind, BootSettings> = {
  sbi: {
    description: "paravirtual boot without Sstc, kernel console on the ns16550a",
    options: { console: "ns16550a", cpu: "rv64,sstc=off", append: `console=ttyS0 ${COMMON}` },
    disks: ["nvme", "nvme-dbbuf", "ahci", "virtio"],
  },
  network: {
    description: "paravirtual boot with Sstc and three network devices, kernel console on virtio-console",
    options: ON_VIRTIO,
    // Which wires are shared hangs on who else is on the bus.
    disks: ["nvme", "virtio"],
    networks: ["e1000", "e1000e", "virtio-net"],
    hostClock: true,
  },
  guests: {
    description:
      "two guests on one thread, paravirtual boot with Sstc and AIA, a switch for each pair of network devices",
    options: { ...ON_VIRTIO, irqchip: "aia" },
    switched: ["e1000", "virtio-net"],
    hostClock: true,
  },
  links: {
    // With wires, two of these devices would share one, and each would ask the other's.
    description: "paravirtual boot with Sstc and AIA, all that links a guest to its host",
    options: { ...ON_VIRTIO, irqchip: "aia" },
    disks: ["nvme", "virtio"],
    pmem: true,
    links: true,
  },
  clint: {
    description: "OpenSBI in M-mode without Sstc, two harts, PLIC",
    options: { ...ON_VIRTIO, firmware: "opensbi", cpu: "rv64,sstc=off", harts: 2, irqchip: "plic" },
  },
  harts: {
    description: "paravirtual boot with Sstc, two harts, PLIC",
    options: { ...ON_VIRTIO, harts: 2, irqchip: "plic" },
    disks: ["nvme"],
  },
  aia: {
    description: "paravirtual boot with Sstc, two harts, AIA",
    options: { ...ON_VIRTIO, harts: 2, irqchip: "aia" },
    disks: ["nvme"],
  },
  firmware: {
    description: "OpenSBI in M-mode without Sstc, kernel console on virtio-console",
    options: { ...ON_VIRTIO, firmware: "opensbi", cpu: "rv64,sstc=off" },
  },
  sstc: {
    // A console that does not exist keeps the kernel from choosing one itself.
    description: "paravirtual boot with Sstc, SBI DBCN as the kernel's early and only console",
    options: { console: "sbi", append: `earlycon=sbi keep_bootcon console=hvc7 ${COMMON}` },
    isLong: true,
  },
};
