// What a guest can be made of, and the defaults.
import type { DiskBackend } from "../backend/disk.ts";
import type { HardwareModel } from "../compat/hardware-model.ts";
import type { DefinedHypercall } from "../hypercall/define-hypercall.ts";
import type { Policy } from "../hypercall/policy.ts";
import type { CallRefusal } from "../hypercall/refusals.ts";
import type { Form } from "../machine/catalogue-row.ts";
import type { IrqchipKind } from "../machine/cpu.ts";
import type { DefinedDevice } from "../machine/define-device.ts";
import type { CpuTurns } from "./cpu-turns.ts";
import type { ExitInfo } from "./exit-info.ts";
import type { NetOptions } from "./net-options.ts";
import type { ShareOptions } from "./shares.ts";
import type { VsockOptions } from "./vsock-device.ts";

export type ConsoleKind = "ns16550a" | "virtio" | "sbi";
export type BootKind = "paravirt" | "firmware";
export type ClockKind = "host" | "virtual";
/** Disk interfaces: NVMe (emulated), AHCI (emulated), virtio-blk (paravirtual). */
export const DISK_INTERFACES = ["nvme", "ahci", "virtio"] as const;
export type DiskInterface = (typeof DISK_INTERFACES)[number];
export type TierKind = "auto" | "interpreter" | "translator";
/** Form of the virtqueues that a virtio device offers; a driver that cannot drive packed ones takes split ones. */
export type RingKind = "split" | "packed";

/** One disk: exactly one of `bytes` and `backend` says what it holds. */
export interface DiskOptions {
  /** Contents in memory; the guest's writes appear in it. */
  bytes?: Uint8Array;
  backend?: DiskBackend;
  /**
   * The device in front of it: an NVMe controller of its own (emulated, at most four), a drive behind the AHCI
   * controller (emulated, at most six) or virtio-blk (paravirtual, the default). With `prefer`, `require` or `hardware` of the guest
   * the default is what they choose.
   */
  if?: DiskInterface;
  /**
   * NVMe only: offers doorbells in guest memory (Doorbell Buffer Config), a paravirtual extension that saves the
   * driver an exit for each completion. Default: no, as real drives.
   */
  doorbellBuffer?: boolean;
  /** Writes fail. An AHCI drive has no way to announce that: the guest sees an error at each write. */
  readOnly?: boolean;
  /** Writes stay in memory and are thrown away; the contents themselves are never written. */
  overlay?: boolean;
  /**
   * How a virtio disk is reached: as a PCI function, or at an address of its own (at most seven disks).
   * Default: pci for a Linux kernel that is entered directly, else mmio.
   */
  transport?: "mmio" | "pci";
  /** Request queues of a virtio disk, 1 to 16. Default: one a hart. */
  queues?: number;
  /** Rings of a virtio disk. Default: the guest's. */
  ring?: RingKind;
  /** A virtio disk offers indirect descriptors. Default: no, since Linux then allocates a table for each request. */
  indirect?: boolean;
  /** A virtio disk offers that notifications say where the driver's ring stands. Default: no, since the driver's work brings nothing here. */
  notificationData?: boolean;
}

/** One persistent memory device: exactly one of `bytes` and `backend` says what it holds, a multiple of 2 MiB. */
export interface PmemOptions {
  /** Contents in memory; what the guest has flushed appears in it. */
  bytes?: Uint8Array;
  backend?: DiskBackend;
  /** The contents are never written. The guest may write to its copy, and is told of an error when it flushes that. */
  readOnly?: boolean;
  /** What the guest writes stays in its memory, and flushing works; the contents themselves are never written. */
  overlay?: boolean;
}

export interface GuestOptions {
  /** A Linux Image for riscv64, or a bare-metal ELF file. Not needed where firmware finds it on a disk. */
  kernel?: Uint8Array;
  /** Initial RAM disk: cpio, plain or gzip. */
  initrd?: Uint8Array;
  /** The whole kernel command line. Without it: console, log level, and a restart one second after a panic. */
  append?: string;
  /** "paravirt" (default): the kernel is entered in S-mode and the hypervisor serves SBI. "firmware": M-mode firmware runs first. */
  boot?: BootKind;
  /**
   * The firmware's images in the order in which they run. Implies `boot: "firmware"`. With two,
   * OpenSBI and U-Boot, the kernel comes from a disk: from one of `disks`, or, if `kernel` is
   * given, from a read-only virtio disk in front of them that is made of kernel, initrd and append.
   */
  firmware?: Uint8Array | Uint8Array[];
  /** RAM: bytes as a number, or a size such as "512M" (the default) or "2G"; at most 3G. */
  memory?: number | string;
  /** 1 (default) to 8. */
  harts?: number;
  /** For example "rv64,sstc=off". */
  cpu?: string;
  /** "plic" (default), or "aia": an APLIC and an IMSIC in each hart, to which PCI devices send MSI-X and harts their interrupts. */
  irqchip?: IrqchipKind;
  /** Fixes everything random. Without it the host's entropy is used, with the virtual clock seed 1. */
  seed?: number | bigint;
  /** "virtual" takes guest time from the instruction count, so that a run repeats exactly. */
  clock?: ClockKind;
  /**
   * What runs guest code. "auto" (default) translates to WebAssembly what is run often;
   * "interpreter" never does; "translator" does at the first chance. Results are the same.
   */
  tier?: TierKind;
  /** Host memory for translated code: bytes as a number, or a size; 1M to 256M, "16M" by default. */
  codeCache?: number | string;
  /**
   * Counts in translated code how often each region runs and how it is left, for `guest.regions()`.
   * Takes 64 MiB of memory, and some of translated code's speed. Default: no.
   */
  logRegions?: boolean;
  /** Nanoseconds since 1970 at the guest's start. Default: now; with the virtual clock a fixed date. */
  wallClock?: bigint;
  /** The console that the kernel and the shell use. Default: virtio; ns16550a, which U-Boot drives, behind U-Boot. */
  console?: ConsoleKind;
  disks?: DiskOptions[];
  /**
   * The form in which functions are given to the guest where its options leave that open: boot, console, disks, networks.
   * Where a driver or the hardware lacks something for it, another form is taken, and onNotice is told. "emulated" boots
   * through firmware. Default: nothing is looked at, and the defaults of each option hold.
   */
  prefer?: Form;
  /** The same, but nothing else will do: createGuest() throws CompatibilityError where that form cannot work. */
  require?: "paravirt" | "emulated";
  /** The hardware that the guest is to be given, no more than this host's: what is not in the model is not there. Default: all of this host's. */
  hardware?: HardwareModel;
  /** Devices of your own, made by defineDevice; at most 16. */
  devices?: DefinedDevice[];
  /** Hypercalls of your own, made by defineHypercall; at most 64. Paravirtual boot only. */
  hypercalls?: DefinedHypercall[];
  /** What the guest may call, which devices it may have, and how much of it all: checked as if it came from a stranger. Default: everything. */
  policy?: Policy;
  /** How the guest shares the processors with others, by the policy's `guest.cpu.weight`: a hypervisor's guests have it. Default: it runs whenever it wants. */
  cpuTurns?: CpuTurns;
  /** Network devices, at most eight. Default: none. */
  nets?: NetOptions[];
  /** Folders that the guest can mount, at most eight. Default: none. */
  shares?: ShareOptions[];
  /**
   * Adds a port for QEMU's guest agent (qemu-guest-agent in Debian) to the virtio console, one of those that `ports` may
   * name: `guest.agent` speaks with it. Default: no.
   */
  agent?: boolean;
  /** Sockets between guest and host (AF_VSOCK). Default: none. */
  vsock?: VsockOptions;
  /**
   * Disks whose contents lie in guest memory (virtio-pmem), at most eight. Pages are read when first touched, and
   * written when the guest flushes. Together with `memory` and `hotplugMemory` at most 3 GiB.
   */
  pmem?: PmemOptions[];
  /** A memory balloon (virtio-balloon), for guest.setBalloon() and guest.memoryStats(). Default: no. */
  balloon?: boolean;
  /**
   * Memory that the guest can plug (virtio-mem), as guest.setHotplugMemory() asks for: bytes as a number, or a size; a
   * multiple of 2 MiB. Needs a kernel with CONFIG_VIRTIO_MEM. Default: none.
   */
  hotplugMemory?: number | string;
  /** A real-time clock that is asked by virtio requests. Needs Linux 6.16 with CONFIG_VIRTIO_RTC. Default: no. */
  rtc?: boolean;
  /** Rings of all virtio devices that do not say otherwise. Default: "split". */
  ring?: RingKind;
  /** Runs commands: adds an agent to the initrd and a virtio-console port for it. */
  exec?: boolean;
  /**
   * Names of further ports of the virtio console, at most three: what the guest writes there
   * goes to onOutput alone. The guest finds them by name in /sys/class/virtio-ports.
   */
  ports?: string[];
  /**
   * Adds a second NS16550A (emulated), /dev/ttyS1 if the first is ttyS0: a stream of bytes by this name, the same on
   * the host's side as a port of `ports`.
   */
  serial?: string;
  /** Every console's output, in pieces. The array belongs to the callee. */
  onConsole?(bytes: Uint8Array): void;
  /**
   * Each output of a console or port, before the guest's next instruction: counters read here
   * are those of that moment. `bytes` is the guest's memory, to be copied if it is kept.
   */
  onOutput?(port: OutputPort, bytes: Uint8Array): void;
  /** Things worth telling a person that are no errors, one line each. */
  onNotice?(message: string): void;
  /** A hypercall was refused: an audit record. At most 32 a second are told, after the guest's turn. */
  onRefusal?(refusal: CallRefusal): void;
  /** Called for each restart that the guest asked for. */
  onReset?(): void;
}

/** Where output comes from: a console's kind, or the name of a port. */
export type OutputPort = ConsoleKind | (string & {});

export type { ExitInfo, IrqchipKind, NetOptions, ShareOptions, VsockOptions };
