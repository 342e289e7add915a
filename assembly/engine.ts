// The engine's face to its host: configuration, running, input, registers. The host
// writes Machine.* (abi/layout), calls reset(), attaches devices, starts a hart, and then
// calls run() again and again. See src/engine for the caller.
import { ConsolePort } from "./abi/device";
import { Exit } from "./abi/exit";
import { HartAt, Layout, Machine } from "./abi/layout";
import { ahciHasWork, ahciPoll } from "./devices/block/ahci";
import { nvmeLook, nvmePoll } from "./devices/block/nvme";
import { resetDevices } from "./devices/reset";
import { uartFlushAll, uartInput, uartListens, uartPoll } from "./devices/console/ns16550a";
import { e1000HasWork, e1000Poll } from "./devices/net/e1000";
import { virtioHasWork, virtioPoll } from "./devices/virtio/service";
import {
  virtioConsoleGuestOpen,
  virtioConsoleInput,
  virtioConsoleInputReady,
  virtioConsoleResize,
} from "./devices/console/virtio-console";
import { Access } from "./hart/access-kind";
import { enterMachine, enterSupervisor, resetHart } from "./hart/control";
import { readCsr, csrValue, updateFloatReady, writeCsr } from "./hart/csr";
import { sliceRetired } from "./hart/counters";
import { physical, translate as translateAddress } from "./hart/mmu";
import { resetPlain } from "./hart/plain";
import { resetSeed } from "./hart/seed";
import { hart, hartCount, hartOf, Mode, switchHart } from "./hart/state";
import { selectBanks, settleWrites } from "./hart/tlb";
import { LONE_ENTRY, resetPredecode } from "./code/predecode";
import { resetRegions } from "./code/regions";
import { beginPoll } from "./hypercall/devices";
import { resetParked } from "./hypercall/parked";
import { interpret } from "./interpreter/fast.gen";
import { runHarts } from "./interpreter/run";
import { Entry, SINK_RD } from "./isa/entry";
import { Op } from "./isa/op.gen";
import { writeTagsStale } from "./memory/backed";
import { BOOT_ROM } from "./memory/physical";
import { sbiConsoleInput, sbiConsoleIsRead } from "./sbi/dbcn";
import { resetGrants } from "./sbi/grants";
import { resetSbiState } from "./sbi/state";
import { resetHeat } from "./translator/heat";
import { resetLog } from "./translator/log";
import { resetModules } from "./translator/modules";
import { resetSites } from "./translator/sites";
import { resetTargets } from "./translator/targets";

export { goOn } from "./interpreter/translated";
export { attachAhci } from "./devices/block/ahci";
export { attachCustom, customInterrupt } from "./devices/custom/custom";
export { customRequestDone } from "./devices/custom/request-done";
export { virtioCustomConfig, virtioCustomGive, virtioCustomSetConfig } from "./devices/custom/virtio-custom";
export { attachNvme } from "./devices/block/nvme";
export { attachVirtioMmio, attachVirtioPci } from "./devices/virtio/attach";
export { virtioConsoleSetPort } from "./devices/console/virtio-console";
export { diskDone } from "./devices/block/disk-done";
export { attachE1000 } from "./devices/net/e1000";
export { netConfigure } from "./devices/net/port";
import { netPoll } from "./devices/net/ports";

export { netDeliver, netHolds, netLink, netOffloads, netRoom } from "./devices/net/ports";
export { netSegments } from "./devices/net/segments";
export { virtioBlkResize } from "./devices/block/virtio-blk";
export { shareDone } from "./devices/files/share-done";
export { virtio9pSetTag } from "./devices/files/virtio-9p";
export { vsockGive, vsockRoom, vsockSetCid, vsockUp } from "./devices/vsock/virtio-vsock";
export { virtioPmemSetPlace } from "./devices/block/virtio-pmem";
export {
  virtioBalloonAskStats, virtioBalloonPages, virtioBalloonReported, virtioBalloonSetTarget, virtioBalloonStats,
  virtioBalloonStatsKnown, virtioBalloonStatsSerial,
} from "./devices/memory/virtio-balloon";
export { virtioMemPlugged, virtioMemSetPlace, virtioMemSetRequested } from "./devices/memory/virtio-mem";
export { writeBackAll } from "./memory/backed";
export { pagesInUse } from "./memory/ram";
export { hypercallBuffer, hypercallDone } from "./sbi/host-call";

/** Instance of the virtio device that carries the guest's virtio console and ports. */
const CONSOLE_INSTANCE: u32 = 8;

/** Power-on: harts stopped, devices reset and detached, predecoded code forgotten. RAM is left as it is. */
export function reset(): void {
  memory.fill(<usize>Machine.INSTRUCTIONS, 0, <usize>Machine.EXIT - <usize>Machine.INSTRUCTIONS);
  memory.fill(<usize>Machine.LINES, 0, 4 * 2 * <usize>Layout.MAX_HARTS);
  store<u32>(<usize>Machine.CURRENT_HART, 0);
  store<u32>(<usize>Machine.EXIT, Exit.BUDGET);
  resetPlain();
  for (let h: u32 = 0; h < <u32>Layout.MAX_HARTS; h++) resetHart(h);
  resetModules();
  resetRegions();
  resetTargets();
  resetSites();
  resetHeat();
  resetLog();
  resetPredecode();
  resetDevices();
  resetSbiState();
  resetGrants();
  resetParked();
  resetSeed();
  for (let h: u32 = 0; h < hartCount(); h++) {
    switchHart(h);
    selectBanks();
    updateFloatReady();
  }
  switchHart(0);
}

/**
 * Runs a loop of one instruction for a moment. Hosts compile a function for speed, in the background, once it has run
 * a while: the interpreter's loop, their largest task by far, can be ready when the guest is. Before reset().
 */
export function warmUp(): void {
  const e = changetype<Entry>(LONE_ENTRY);
  e.op = <u16>Op.JAL;
  e.rd = SINK_RD;
  e.imm = 0;
  interpret(LONE_ENTRY, 2000, 0);
}

/** Where the host copies the boot ROM's contents (Map.MROM_SIZE bytes). */
export function bootRom(): usize {
  return BOOT_ROM;
}

/** Enters a hart at `pc` in S-mode (1: as firmware would hand over to a kernel) or M-mode (3). */
export function startHart(h: u32, pc: u64, a0: u64, a1: u64, a2: u64, mode: u32): void {
  if (mode == <u32>Mode.M) enterMachine(h, pc, a0, a1, a2);
  else enterSupervisor(h, pc, a0, a1);
}

/** Runs up to `budget` steps over all harts; why it came back (abi/exit). */
export function run(budget: i32): i32 {
  beginPoll();
  virtioPoll();
  if (writeTagsStale()) settleWrites();
  ahciPoll();
  nvmeLook();
  nvmePoll();
  uartPoll();
  e1000Poll();
  netPoll();
  const exit = runHarts(budget);
  uartFlushAll();
  // A request too large for one kick is finished in shares: that is no time to sleep.
  return exit == Exit.IDLE && (virtioHasWork() || ahciHasWork() || e1000HasWork()) ? <i32>Exit.BUDGET : exit;
}

// --- consoles ---

/** Offers `length` bytes of input to a console port; how many it took. */
export function consoleInput(port: u32, address: usize, length: u32): u32 {
  if (port == <u32>ConsolePort.UART) return uartInput(0, address, length);
  if (port == <u32>ConsolePort.SERIAL) return uartInput(1, address, length);
  if (port == <u32>ConsolePort.SBI) return sbiConsoleInput(address, length);
  const n = port - <u32>ConsolePort.VIRTIO;
  return n < <u32>ConsolePort.VIRTIO_PORTS ? virtioConsoleInput(CONSOLE_INSTANCE, n, address, length) : 0;
}

/** Does the guest listen to this port: would input now be taken, and reach a program? */
export function consoleInputReady(port: u32): bool {
  if (port == <u32>ConsolePort.UART) return uartListens(0);
  if (port == <u32>ConsolePort.SERIAL) return uartListens(1);
  if (port == <u32>ConsolePort.SBI) return true;
  const n = port - <u32>ConsolePort.VIRTIO;
  return n < <u32>ConsolePort.VIRTIO_PORTS && virtioConsoleInputReady(CONSOLE_INSTANCE, n);
}

/** Does the guest ask the SBI's console for input? */
export function sbiConsoleRead(): bool {
  return sbiConsoleIsRead();
}

/** Has a guest program opened this virtio port? */
export function consoleGuestOpen(port: u32): bool {
  const n = port - <u32>ConsolePort.VIRTIO;
  return n < <u32>ConsolePort.VIRTIO_PORTS && virtioConsoleGuestOpen(CONSOLE_INSTANCE, n);
}

/** Tells the guest the size of the terminal. */
export function consoleResize(columns: u32, rows: u32): void {
  virtioConsoleResize(CONSOLE_INSTANCE, columns, rows);
}

// --- looking inside: for diagnostics and debuggers ---

/** Register `index` of hart `h`: 0-31 x, 32 pc, 33-64 f, 0x1000 + n CSR n (0 if it cannot be read). */
export function getReg(h: u32, index: u32): u64 {
  if (h >= hartCount()) return 0;
  switchHart(h);
  if (index < 32) return load<u64>(<usize>HartAt.X + ((<usize>index) << 3));
  if (index == 32) return load<u64>(<usize>HartAt.PC);
  if (index < 65) return load<u64>(<usize>HartAt.F + ((<usize>(index - 33)) << 3));
  if (index < 0x1000 || index >= 0x2000) return 0;
  const s = hart();
  const mode = s.mode;
  s.mode = Mode.M;
  const known = readCsr(index - 0x1000);
  s.mode = mode;
  return known ? csrValue : 0;
}

/** Writes a register, numbered as in getReg. False: no such register. */
export function setReg(h: u32, index: u32, value: u64): bool {
  if (h >= hartCount()) return false;
  switchHart(h);
  if (index == 0) return true;
  if (index < 32) store<u64>(<usize>HartAt.X + ((<usize>index) << 3), value);
  else if (index == 32) store<u64>(<usize>HartAt.PC, value);
  else if (index < 65) store<u64>(<usize>HartAt.F + ((<usize>(index - 33)) << 3), value);
  else if (index >= 0x1000 && index < 0x2000) {
    const s = hart();
    const mode = s.mode;
    s.mode = Mode.M;
    const done = readCsr(index - 0x1000) && writeCsr(index - 0x1000, value);
    s.mode = mode;
    selectBanks();
    return done;
  } else return false;
  return true;
}

/** Privilege mode of hart `h`: 0 U, 1 S, 3 M. */
export function getMode(h: u32): u32 {
  return h < hartCount() ? hartOf(h).mode : 0;
}

/** Does hart `h` wait for an interrupt? */
export function isWaiting(h: u32): bool {
  return h < hartCount() && hartOf(h).waiting != 0;
}

/** Physical address behind `va` for a fetch (0), load (1) or store (2) of hart `h` if it were in `mode`, or ~0. */
export function translate(h: u32, va: u64, access: u32, mode: u32): u64 {
  if (h >= hartCount()) return ~(<u64>0);
  switchHart(h);
  return translateAddress(va, <Access>access, mode) < 0 ? physical : ~(<u64>0);
}

/** Instructions that all harts have retired, exact also where the host is called in the middle of a slice. */
export function retired(): f64 {
  let sum: u64 = sliceRetired();
  for (let h: u32 = 0; h < hartCount(); h++) sum += hartOf(h).retired;
  return <f64>sum;
}
