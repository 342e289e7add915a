// Advanced Platform-Level Interrupt Controller (RISC-V Advanced Interrupt Architecture 1.0,
// chapter 4) with 96 sources and two domains: the root, for machine level, and its child 0,
// for supervisor level. Both deliver by MSI alone (domaincfg.DM is read-only 1): whatever is
// pending and enabled goes as a message to the target's IMSIC, and is pending no more. So
// there are no interrupt delivery control structures; registers are little-endian (BE is 0).
//
//   0x0000  domaincfg                  0x1e00  setie       0x1edc  setienum
//   0x0004  sourcecfg[1 - 1023]        0x1f00  clrie       0x1fdc  clrienum
//   0x1bc0  mmsiaddrcfg, smsiaddrcfg   0x2000  setipnum_le
//   0x1c00  setip    0x1cdc  setipnum  0x3000  genmsi
//   0x1d00  in_clrip 0x1ddc  clripnum  0x3004  target[1 - 1023]
//
// A source is active in one domain at most: in the child if the root delegates it. A level
// that stays high after its message does nothing more by itself; a driver writes its number
// to setipnum when it has served it, which makes it pending again if it is still high (4.9.2).
//
// Without firmware the hypervisor does what firmware would: every source is delegated, and
// the addresses of the supervisor's interrupt files are set.
import { Dev } from "../../abi/device";
import { BootMode, Machine } from "../../abi/layout";
import { Aia, Map } from "../../abi/memory-map";
import { hasAia } from "./aia";
import { sendMessage } from "./message";

/** Which domain. */
export const enum Domain {
  MACHINE = 0,
  SUPERVISOR = 1,
}

const enum Reg {
  DOMAINCFG = 0x0000,
  SOURCECFG = 0x0000, // sourcecfg[i] at 4i
  SOURCECFG_END = 0x1000,
  MMSIADDRCFG = 0x1bc0,
  MMSIADDRCFGH = 0x1bc4,
  SMSIADDRCFG = 0x1bc8,
  SMSIADDRCFGH = 0x1bcc,
  SETIP = 0x1c00,
  SETIPNUM = 0x1cdc,
  IN_CLRIP = 0x1d00,
  CLRIPNUM = 0x1ddc,
  SETIE = 0x1e00,
  SETIENUM = 0x1edc,
  CLRIE = 0x1f00,
  CLRIENUM = 0x1fdc,
  SETIPNUM_LE = 0x2000,
  GENMSI = 0x3000,
  TARGET = 0x3000, // target[i] at 0x3000 + 4i
  TARGET_END = 0x4000,
  /** Bytes that an array of bits takes. */
  BITS = 0x80,
}

const enum DomainCfg {
  DELIVERY_MODE = 1 << 2,
  ENABLE = 1 << 8,
  FIXED = 0x8000_0000,
}

const enum SourceCfg {
  MODE = 7,
  DELEGATE = 1 << 10,
}

/** SM of sourcecfg (table 4.1). */
const enum Mode {
  INACTIVE = 0,
  DETACHED = 1,
  EDGE1 = 4,
  EDGE0 = 5,
  LEVEL1 = 6,
  LEVEL0 = 7,
}

/** Hart index and identity of target and genmsi; the guest index is 0 without a hypervisor extension. */
const TARGET_BITS: u32 = 0xfffc_07ff;
const IDENTITY_BITS: u32 = 0x7ff;
const HART_SHIFT: u32 = 18;

const LOCKED: u32 = 0x8000_0000;
const MMSIADDRCFGH_BITS: u32 = 0x9f77_ffff;
const SMSIADDRCFGH_BITS: u32 = 0x0070_0fff;

const SOURCES: u32 = Aia.SOURCES;
/** Source 96 has a word of its own. */
const WORDS: u32 = (SOURCES >> 5) + 1;

// State, in bytes from Dev.APLIC.
const enum At {
  LEVEL = 0, // the wires, a bit a source
  MSI_ADDRESS = 0x10, // mmsiaddrcfg, mmsiaddrcfgh, smsiaddrcfg, smsiaddrcfgh
  DOMAINS = 0x40,
  END = 0x40 + 2 * 0x400,
}

const DOMAIN_SIZE: usize = 0x400;

// A domain's state, from its own place.
const enum DomainAt {
  ENABLED = 0,
  GENMSI = 4,
  PENDING = 0x10,
  ENABLE = 0x20,
  SOURCECFG = 0x30, // a word a source, from source 0, which does not exist
  TARGET = 0x200,
}

// @ts-ignore: decorator
@inline
function domainAt(domain: Domain): usize {
  return <usize>Dev.APLIC + <usize>At.DOMAINS + <usize>domain * DOMAIN_SIZE;
}

// @ts-ignore: decorator
@inline
function word(domain: Domain, at: DomainAt, index: u32): usize {
  return domainAt(domain) + <usize>at + (<usize>index << 2);
}

// @ts-ignore: decorator
@inline
function addressAt(register: u32): usize {
  return <usize>Dev.APLIC + <usize>At.MSI_ADDRESS + (<usize>register - <usize>Reg.MMSIADDRCFG);
}

// @ts-ignore: decorator
@inline
function bitAt(base: usize, source: u32): bool {
  return ((load<u32>(base + ((<usize>source >> 5) << 2)) >> (source & 31)) & 1) != 0;
}

function setBit(base: usize, source: u32, on: bool): void {
  const at = base + ((<usize>source >> 5) << 2);
  const before = load<u32>(at);
  store<u32>(at, on ? before | (1 << (source & 31)) : before & ~(1 << (source & 31)));
}

// @ts-ignore: decorator
@inline
function real(source: u32): bool {
  return source != 0 && source <= SOURCES;
}

/** How the domain listens to a source: Mode.INACTIVE where it does not, or has given it away. */
function modeOf(domain: Domain, source: u32): u32 {
  const config = load<u32>(word(domain, DomainAt.SOURCECFG, source));
  return (config & <u32>SourceCfg.DELEGATE) != 0 ? Mode.INACTIVE : config & <u32>SourceCfg.MODE;
}

/** Has the root given the source to its child? */
function delegated(source: u32): bool {
  return (load<u32>(word(Domain.MACHINE, DomainAt.SOURCECFG, source)) & <u32>SourceCfg.DELEGATE) != 0;
}

// @ts-ignore: decorator
@inline
function isLevel(mode: u32): bool {
  return mode >= <u32>Mode.LEVEL1;
}

/** The rectified input value of a wire (4.5.2). */
function rectified(mode: u32, level: bool): bool {
  if (mode < <u32>Mode.EDGE1) return false;
  return (mode & 1) != 0 ? !level : level;
}

function isPending(domain: Domain, source: u32): bool {
  return bitAt(domainAt(domain) + <usize>DomainAt.PENDING, source);
}

function setPending(domain: Domain, source: u32, on: bool): void {
  setBit(domainAt(domain) + <usize>DomainAt.PENDING, source, on);
}

function setEnable(domain: Domain, source: u32, on: bool): void {
  if (!real(source) || modeOf(domain, source) == <u32>Mode.INACTIVE) return;
  setBit(domainAt(domain) + <usize>DomainAt.ENABLE, source, on);
  if (on) forward(domain, source);
}

/** A write to setip or setipnum: a level is pending only while it is there (4.7). */
function pend(domain: Domain, source: u32): void {
  if (!real(source)) return;
  const mode = modeOf(domain, source);
  if (mode == <u32>Mode.INACTIVE) return;
  if (isLevel(mode) && !rectified(mode, bitAt(<usize>Dev.APLIC + <usize>At.LEVEL, source))) return;
  setPending(domain, source, true);
  forward(domain, source);
}

function unpend(domain: Domain, source: u32): void {
  if (real(source)) setPending(domain, source, false);
}

/** Sends what is pending and enabled, if the domain does: it is then no longer pending (4.9). */
function forward(domain: Domain, source: u32): void {
  if (load<u32>(domainAt(domain), DomainAt.ENABLED) == 0 || !isPending(domain, source)) return;
  if (!bitAt(domainAt(domain) + <usize>DomainAt.ENABLE, source)) return;
  setPending(domain, source, false);
  send(domain, load<u32>(word(domain, DomainAt.TARGET, source)));
}

/** A message to hart and identity of `target`, at the address that the root's registers give (4.9.1). */
function send(domain: Domain, target: u32): void {
  const shape = load<u32>(addressAt(Reg.MMSIADDRCFGH));
  const own: u32 = domain == Domain.MACHINE ? Reg.MMSIADDRCFG : Reg.SMSIADDRCFG;
  const high = load<u32>(addressAt(own + 4));
  const index = <u64>(target >> HART_SHIFT);
  const lowWidth = <u64>((shape >> 12) & 0xf);
  const group = (index >> lowWidth) & (((<u64>1) << <u64>((shape >> 16) & 7)) - 1);
  const hart = index & (((<u64>1) << lowWidth) - 1);
  let page = <u64>load<u32>(addressAt(own)) | (<u64>(high & 0xfff) << 32);
  page |= (group << <u64>(((shape >> 24) & 0x1f) + 12)) | (hart << <u64>((high >> 20) & 7));
  sendMessage(page << 12, target & IDENTITY_BITS);
}

/** The wire of `source` into the domain where it is active. */
export function aplicRaise(source: u32, level: bool): void {
  const wires = <usize>Dev.APLIC + <usize>At.LEVEL;
  if (!real(source) || bitAt(wires, source) == level) return;
  setBit(wires, source, level);
  const domain: Domain = delegated(source) ? Domain.SUPERVISOR : Domain.MACHINE;
  const mode = modeOf(domain, source);
  if (mode < <u32>Mode.EDGE1) return;
  if (rectified(mode, level)) {
    setPending(domain, source, true);
    forward(domain, source);
  } else if (isLevel(mode)) setPending(domain, source, false);
}

/** The source is no longer active in the domain: its bits and its target are read-only zeros. */
function silence(domain: Domain, source: u32): void {
  setPending(domain, source, false);
  setBit(domainAt(domain) + <usize>DomainAt.ENABLE, source, false);
  store<u32>(word(domain, DomainAt.TARGET, source), 0);
}

/** Modes that do not exist make a source inactive; so does delegation where there is no child to have it. */
function legalSource(domain: Domain, value: u32): u32 {
  if ((value & <u32>SourceCfg.DELEGATE) != 0) return domain == Domain.MACHINE ? SourceCfg.DELEGATE : 0;
  const mode = value & <u32>SourceCfg.MODE;
  return mode == 2 || mode == 3 ? 0 : mode;
}

function configureSource(domain: Domain, source: u32, value: u32): void {
  if (!real(source) || (domain == Domain.SUPERVISOR && !delegated(source))) return;
  const before = delegated(source);
  store<u32>(word(domain, DomainAt.SOURCECFG, source), legalSource(domain, value));
  if (before && !delegated(source)) {
    store<u32>(word(Domain.SUPERVISOR, DomainAt.SOURCECFG, source), 0);
    silence(Domain.SUPERVISOR, source);
  }
  const mode = modeOf(domain, source);
  if (mode == <u32>Mode.INACTIVE) silence(domain, source);
  // A level that is there already would else never be told; an edge is only what comes from now on.
  if (!isLevel(mode)) return;
  setPending(domain, source, rectified(mode, bitAt(<usize>Dev.APLIC + <usize>At.LEVEL, source)));
  forward(domain, source);
}

/** Applies a word of bits written to setip, in_clrip, setie or clrie, of which `base` is the first. */
function forBits(domain: Domain, base: Reg, offset: u32, value: u32): void {
  const w = (offset - <u32>base) >> 2;
  for (let left = value; left != 0; left &= left - 1) {
    const source = (w << 5) + ctz(left);
    switch (base) {
      case Reg.SETIP: pend(domain, source); break;
      case Reg.IN_CLRIP: unpend(domain, source); break;
      case Reg.SETIE: setEnable(domain, source, true); break;
      case Reg.CLRIE: setEnable(domain, source, false); break;
    }
  }
}

// @ts-ignore: decorator
@inline
function within(offset: u32, base: Reg): bool {
  return offset - <u32>base < <u32>Reg.BITS;
}

function bitsRead(at: usize, w: u32): u32 {
  return w < WORDS ? load<u32>(at + (<usize>w << 2)) : 0;
}

function inputsRead(domain: Domain, w: u32): u32 {
  if (w >= WORDS) return 0;
  let value: u32 = 0;
  for (let bit: u32 = 0; bit < 32; bit++) {
    const source = (w << 5) + bit;
    if (!real(source)) continue;
    if (rectified(modeOf(domain, source), bitAt(<usize>Dev.APLIC + <usize>At.LEVEL, source))) value |= 1 << bit;
  }
  return value;
}

/** Registers are dwords; the bus admits nothing else. */
export function aplicRead(domain: Domain, offset: u32): u32 {
  if (offset == <u32>Reg.DOMAINCFG) {
    const enabled = load<u32>(domainAt(domain), DomainAt.ENABLED) != 0;
    return <u32>DomainCfg.FIXED | <u32>DomainCfg.DELIVERY_MODE | (enabled ? <u32>DomainCfg.ENABLE : 0);
  }
  if (offset < <u32>Reg.SOURCECFG_END) {
    const source = offset >> 2;
    return source <= SOURCES ? load<u32>(word(domain, DomainAt.SOURCECFG, source)) : 0;
  }
  if (offset - <u32>Reg.MMSIADDRCFG < 16) return domain == Domain.MACHINE ? load<u32>(addressAt(offset)) : 0;
  if (within(offset, Reg.SETIP)) return bitsRead(domainAt(domain) + <usize>DomainAt.PENDING, (offset - <u32>Reg.SETIP) >> 2);
  if (within(offset, Reg.IN_CLRIP)) return inputsRead(domain, (offset - <u32>Reg.IN_CLRIP) >> 2);
  if (within(offset, Reg.SETIE)) return bitsRead(domainAt(domain) + <usize>DomainAt.ENABLE, (offset - <u32>Reg.SETIE) >> 2);
  if (offset == <u32>Reg.GENMSI) return load<u32>(domainAt(domain), DomainAt.GENMSI); // sent at once: never busy
  if (offset - <u32>Reg.TARGET < <u32>Reg.TARGET_END - <u32>Reg.TARGET) {
    const source = (offset - <u32>Reg.TARGET) >> 2;
    return source <= SOURCES ? load<u32>(word(domain, DomainAt.TARGET, source)) : 0;
  }
  return 0;
}

export function aplicWrite(domain: Domain, offset: u32, value: u32): void {
  if (offset == <u32>Reg.DOMAINCFG) setDomain(domain, value);
  else if (offset < <u32>Reg.SOURCECFG_END) configureSource(domain, offset >> 2, value);
  else if (offset - <u32>Reg.MMSIADDRCFG < 16) setAddress(domain, offset, value);
  else if (within(offset, Reg.SETIP)) forBits(domain, Reg.SETIP, offset, value);
  else if (within(offset, Reg.IN_CLRIP)) forBits(domain, Reg.IN_CLRIP, offset, value);
  else if (within(offset, Reg.SETIE)) forBits(domain, Reg.SETIE, offset, value);
  else if (within(offset, Reg.CLRIE)) forBits(domain, Reg.CLRIE, offset, value);
  else if (offset == <u32>Reg.GENMSI) {
    store<u32>(domainAt(domain), value & TARGET_BITS, DomainAt.GENMSI);
    send(domain, value & TARGET_BITS);
  } else if (offset - <u32>Reg.TARGET < <u32>Reg.TARGET_END - <u32>Reg.TARGET) {
    const source = (offset - <u32>Reg.TARGET) >> 2;
    if (real(source) && modeOf(domain, source) != <u32>Mode.INACTIVE) store<u32>(word(domain, DomainAt.TARGET, source), value & TARGET_BITS);
  } else {
    switch (offset) {
      case Reg.SETIPNUM: case Reg.SETIPNUM_LE: pend(domain, value); break;
      case Reg.CLRIPNUM: unpend(domain, value); break;
      case Reg.SETIENUM: setEnable(domain, value, true); break;
      case Reg.CLRIENUM: setEnable(domain, value, false); break;
    }
  }
}

function setDomain(domain: Domain, value: u32): void {
  const enabled = (value & <u32>DomainCfg.ENABLE) != 0;
  store<u32>(domainAt(domain), enabled ? 1 : 0, DomainAt.ENABLED);
  if (enabled) for (let source: u32 = 1; source <= SOURCES; source++) forward(domain, source);
}

/** The root's registers for addresses, until one of them locks all (4.5.3 and 4.5.4). */
function setAddress(domain: Domain, register: u32, value: u32): void {
  if (domain != Domain.MACHINE || (load<u32>(addressAt(Reg.MMSIADDRCFGH)) & LOCKED) != 0) return;
  if (register == <u32>Reg.MMSIADDRCFGH) value &= MMSIADDRCFGH_BITS;
  else if (register == <u32>Reg.SMSIADDRCFGH) value &= SMSIADDRCFGH_BITS;
  store<u32>(addressAt(register), value);
}

/** Both domains off and no source active. The wires are as low as their devices after their reset. */
export function aplicReset(): void {
  memory.fill(<usize>Dev.APLIC, 0, <usize>At.END);
  if (!hasAia() || load<u32>(<usize>Machine.BOOT) != <u32>BootMode.PARAVIRT) return;
  for (let source: u32 = 1; source <= SOURCES; source++) configureSource(Domain.MACHINE, source, SourceCfg.DELEGATE);
  setAddress(Domain.MACHINE, Reg.SMSIADDRCFG, <u32>Map.IMSIC_S >> 12);
  setAddress(Domain.MACHINE, Reg.MMSIADDRCFGH, LOCKED | (3 << 12)); // LHXW: eight harts, a page each
}

/** After a restore: nothing is configured, pending or enabled that could not be. */
export function aplicValidate(): bool {
  if ((load<u32>(addressAt(Reg.MMSIADDRCFGH)) & ~MMSIADDRCFGH_BITS) != 0) return false;
  if ((load<u32>(addressAt(Reg.SMSIADDRCFGH)) & ~SMSIADDRCFGH_BITS) != 0) return false;
  return domainSound(Domain.MACHINE) && domainSound(Domain.SUPERVISOR);
}

function domainSound(domain: Domain): bool {
  const at = domainAt(domain);
  if (load<u32>(at, DomainAt.ENABLED) > 1 || (load<u32>(at, DomainAt.GENMSI) & ~TARGET_BITS) != 0) return false;
  for (let source: u32 = 0; source < WORDS << 5; source++) {
    const touched = isPending(domain, source) || bitAt(at + <usize>DomainAt.ENABLE, source);
    if (!real(source)) {
      if (touched || bitAt(<usize>Dev.APLIC + <usize>At.LEVEL, source)) return false;
      continue;
    }
    const config = load<u32>(word(domain, DomainAt.SOURCECFG, source));
    if (config != legalSource(domain, config) || (domain == Domain.SUPERVISOR && config != 0 && !delegated(source))) return false;
    const target = load<u32>(word(domain, DomainAt.TARGET, source));
    if ((target & ~TARGET_BITS) != 0) return false;
    if (modeOf(domain, source) == <u32>Mode.INACTIVE && (touched || target != 0)) return false;
  }
  return true;
}
