// AHCI controller of Intel's ICH9 on PCI (Serial ATA AHCI 1.3.1): attachment and what goes on
// without the guest. A port with a disk has an ATA drive behind it: a solid-state one with 512-byte
// sectors, 48-bit addresses, 32 queued commands, a write cache, trim and SMART.
//
//   BAR 5, 2 KiB   0x000  generic registers (3.1)
//                  0x100  six ports' registers, 0x80 apart (3.3)
//
// As a board's firmware would, PI names the ports that a drive is wired to, so a driver loses
// no time on the others.
//
// Left out, as CAP and CAP2 say: port multipliers, aggressive power management of
// the link, staggered spin-up, command completion coalescing (Linux does not use it), enclosure management,
// BIOS/OS handoff, the IDE mode with its I/O ports; ATAPI drives; hot plug. Left out too is
// the ICH9's MSI capability: it has nowhere to send messages while the board has a PLIC.
import { DeviceKind } from "../../abi/device";
import { DeviceSlot } from "../../abi/hypercall";
import { diskFlush } from "../../host";
import { mayServe } from "../../hypercall/devices";
import { Pci, addBar, addFunction, addPowerManagement, configSet16, configSet8, functionAt } from "../pci/function";
import { flushTag } from "./ahci-data";
import { finish, forget, serve } from "./ahci-port";
import { resetController, sendWaiting, updateInterrupt } from "./ahci-registers";
import { moderationSound } from "./moderation";
import { Busy, Hba, Limit, Link, PORT_SIZE, PortState, SCRATCH_SIZE, SECTOR_SHIFT, hbaState, portAt, scratch } from "./ahci-state";

const enum Bar {
  INDEX = 5,
  SIZE = 0x800,
}

const INTEL: u32 = 0x8086;
const ICH9_AHCI: u32 = 0x2922;
const CLASS_AHCI: u32 = 0x01_06_01;
const REVISION: u32 = 2;
const SUBSYSTEM_VENDOR: u32 = 0x1af4;
const SUBSYSTEM: u32 = 0x1100;
const INTA: u32 = 1;

/** ICH9's own registers of configuration space: address map (AHCI mode), port control and status. */
const enum Ich9 {
  MAP = 0x90,
  MAP_AHCI = 0x40,
  PCS = 0x92,
  PCS_ENABLE = 0x003f,
  PCS_PRESENT_SHIFT = 8,
}

/** Flag of attachAhci: the disk takes no writes. */
const READ_ONLY: u32 = 1;

/** Takes the controller away; before devices are attached. */
export function ahciInit(): void {
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    forget(portAt(i));
    clearPort(portAt(i));
  }
  memory.fill(changetype<usize>(hbaState()), 0, offsetof<Hba>());
  memory.fill(scratch(), 0, SCRATCH_SIZE);
}

/** All of a port's state but its generation, which goes on, so that a flush from before completes nothing after. */
function clearPort(p: PortState): void {
  const generation = p.generation;
  memory.fill(changetype<usize>(p), 0, PORT_SIZE);
  p.generation = generation;
}

/**
 * Puts a disk behind port `port` (0 to 5) of the controller in PCI slot `slot`, which comes with its
 * first disk; after pciInit() and before pciReset(). False if either is taken.
 */
export function attachAhci(slot: u32, port: u32, backend: u32, capacityBytes: f64, flags: u32): bool {
  const h = hbaState();
  if (port >= <u32>Limit.PORTS || slot == 0 || slot >= <u32>Pci.SLOTS) return false;
  const p = portAt(port);
  if (p.attached != 0 || (h.ports != 0 && h.slot != slot)) return false;
  if (h.ports == 0) {
    if (functionAt(slot).kind != <u32>DeviceKind.NONE) return false;
    addController(slot);
    h.slot = slot;
  }
  clearPort(p);
  p.attached = 1;
  p.number = port;
  p.backend = backend;
  p.readOnly = flags & READ_ONLY;
  p.sectors = <u64>capacityBytes >> SECTOR_SHIFT;
  h.ports |= 1 << port;
  configSet16(slot, Ich9.PCS, h.ports | (h.ports << <u32>Ich9.PCS_PRESENT_SHIFT));
  ahciReset();
  return true;
}

function addController(slot: u32): void {
  addFunction(slot, DeviceKind.AHCI, 0, INTEL, ICH9_AHCI, CLASS_AHCI, REVISION, SUBSYSTEM_VENDOR, SUBSYSTEM, INTA);
  addBar(slot, Bar.INDEX, Bar.SIZE, false);
  configSet8(slot, Ich9.MAP, Ich9.MAP_AHCI);
  addPowerManagement(slot, 3);
}

/** Power-on state; the disks stay attached. */
export function ahciReset(): void {
  const h = hbaState();
  if (h.ports == 0) return;
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    const p = portAt(i);
    if (p.attached == 0) continue;
    p.clb = 0;
    p.fb = 0;
    p.smart = 1;
    p.smartAutosave = 1;
  }
  resetController(h.slot);
}

// --- what goes on without the guest ---

/** Goes on with what one write to PxCI left. */
export function ahciPoll(): void {
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    const p = portAt(i);
    if (p.attached == 0 || p.more == 0) continue;
    serve(p);
    updateInterrupt(p);
  }
}

/** The interrupts that waited go out. */
export function ahciSendWaiting(): void {
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    if (portAt(i).attached != 0) sendWaiting(portAt(i));
  }
}

/** True if ahciPoll() would find something to do. */
export function ahciHasWork(): bool {
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    const p = portAt(i);
    if (p.more != 0 && mayServe(DeviceSlot.DISK + p.backend)) return true;
  }
  return false;
}

/** The host has finished a flush that it answered with 1. False if no drive here has this backend. */
export function ahciDiskDone(backend: u32, tag: u32, errno: i32): bool {
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    const p = portAt(i);
    if (p.attached == 0 || p.backend != backend) continue;
    if (tag >> 8 == p.generation && (tag & 0xff) < <u32>Limit.SLOTS) {
      finish(p, tag & 0xff, errno);
      sendWaiting(p);
    }
    return true;
  }
  return false;
}

/** After a restore, once backends are there: flushes that the host had not finished are asked for again. */
export function ahciResume(): void {
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    const p = portAt(i);
    if (p.attached == 0) continue;
    const slots = p.queued | (p.busy != <u32>Busy.NO ? 1 << p.busySlot : 0);
    if (slots == 0) continue;
    p.generation = (p.generation + 1) & 0xff_ffff;
    for (let left = slots; left != 0; left &= left - 1) {
      const slot = <u32>ctz(left);
      const answer = diskFlush(p.backend, flushTag(p, slot));
      if (answer != 1) finish(p, slot, answer);
    }
    updateInterrupt(p);
  }
}

/** After a restore; changes nothing. */
export function ahciValidate(): bool {
  const h = hbaState();
  let ports: u32 = 0;
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    const p = portAt(i);
    if (p.attached == 0) continue;
    ports |= 1 << i;
    if (p.attached != 1 || p.number != i || !portSound(p)) return false;
  }
  if (ports != h.ports || !moderationSound()) return false;
  if (ports == 0) return true;
  return h.slot < <u32>Pci.SLOTS && functionAt(h.slot).kind == <u32>DeviceKind.AHCI && (h.is & ~ports) == 0;
}

function portSound(p: PortState): bool {
  return (
    p.generation <= 0xff_ffff &&
    p.busy <= <u32>Busy.ORPHAN &&
    p.busySlot < <u32>Limit.SLOTS &&
    p.lastSlot < <u32>Limit.SLOTS &&
    // A drive executes a command that is not queued alone.
    (p.busy == <u32>Busy.NO || p.queued == 0) &&
    (p.halted | p.more | p.signature | p.waits | p.softReset | p.asleep | p.writeCache | p.lookAhead | p.smart | p.ncqFailed | p.readOnly) <= 1 &&
    p.multiple <= <u32>Limit.MULTIPLE &&
    (p.link == <u32>Link.ACTIVE || p.link == <u32>Link.PARTIAL || p.link == <u32>Link.SLUMBER) &&
    (p.clb & 0x3ff) == 0 &&
    (p.fb & 0xff) == 0
  );
}
