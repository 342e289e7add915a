// The copper transceiver and the way to it (MDIC, 13.4.9): registers of IEEE 802.3 clause
// 22 and Marvell's own, as the 88E1011 in the 82540EM and the one in the 82574L have them.
// There is no wire: what the partner can do is fixed, and negotiation is over when it
// begins. The link is up while the host's side is.
//
// Left out: pages other than 0 of the 82574L's, which read as 0.
import { Cause, setCause, setLinkCause } from "./e1000-interrupt";
import { Ctrl, E1000, Limit, is82574, phyAt } from "./e1000-state";

const enum Mdic {
  REGISTER_SHIFT = 16,
  PHY_SHIFT = 21,
  WRITE = 1 << 26,
  READ = 2 << 26,
  READY = 1 << 28,
  INTERRUPT = 1 << 29,
  ERROR = 1 << 30,
}

/** The transceiver's address. */
const PHY_ADDRESS: u32 = 1;

const enum Phy {
  CONTROL = 0,
  STATUS = 1,
  ID1 = 2,
  ID2 = 3,
  ADVERTISEMENT = 4,
  PARTNER_ABILITY = 5,
  EXPANSION = 6,
  GIGABIT_CONTROL = 9,
  GIGABIT_STATUS = 10,
  EXTENDED_STATUS = 15,
  SPECIFIC_CONTROL = 16,
  SPECIFIC_STATUS = 17,
  EXTENDED_CONTROL = 20,
  PAGE = 22,
}

const enum Control {
  SPEED_1000 = 1 << 6,
  DUPLEX = 1 << 8,
  RESTART = 1 << 9,
  POWER_DOWN = 1 << 11,
  NEGOTIATE = 1 << 12,
  SPEED_100 = 1 << 13,
  LOOPBACK = 1 << 14,
  RESET = 1 << 15,
}

const enum Status {
  LINK = 1 << 2,
  NEGOTIATED = 1 << 5,
  /** All of 10, 100 and, by the extended status, 1000 Mbit/s. */
  ABILITIES = 0x7949,
}

const enum Specific {
  LINK = 1 << 10,
  RESOLVED = 1 << 11,
  DUPLEX = 1 << 13,
  SPEED_SHIFT = 14,
  /** A cable of 50 to 80 m, crossed. */
  CABLE = (1 << 7) | (1 << 6),
}

const GIGABIT: u32 = 2;

function register(s: E1000, index: Phy): u32 {
  return load<u16>(phyAt(s) + (<usize>index << 1));
}

function setRegister(s: E1000, index: Phy, value: u32): void {
  store<u16>(phyAt(s) + (<usize>index << 1), <u16>value);
}

export function phyReset(s: E1000): void {
  memory.fill(phyAt(s), 0, <usize>Limit.PHY_REGISTERS << 1);
  setRegister(s, Phy.CONTROL, Control.NEGOTIATE | Control.DUPLEX | Control.SPEED_1000);
  setRegister(s, Phy.ID1, 0x0141);
  setRegister(s, Phy.ID2, is82574(s) ? 0x0cb1 : 0x0c24);
  setRegister(s, Phy.ADVERTISEMENT, 0x0de1);
  setRegister(s, Phy.PARTNER_ABILITY, 0x45e1);
  setRegister(s, Phy.EXPANSION, 0x000f);
  setRegister(s, Phy.GIGABIT_CONTROL, 0x0300);
  setRegister(s, Phy.GIGABIT_STATUS, 0x3c00);
  setRegister(s, Phy.EXTENDED_STATUS, 0x3000);
  setRegister(s, Phy.SPECIFIC_CONTROL, 0x0068);
  setRegister(s, Phy.EXTENDED_CONTROL, 0x0d60);
}

/** The transceiver sees its partner. */
function phyLink(s: E1000): bool {
  const control = register(s, Phy.CONTROL);
  return s.wire != 0 && (control & <u32>(Control.POWER_DOWN | Control.RESET)) == 0;
}

/** True if what is sent comes back from the transceiver. */
export function phyLoops(s: E1000): bool {
  return (register(s, Phy.CONTROL) & <u32>Control.LOOPBACK) != 0;
}

/** 0, 1 or 2 for 10, 100 or 1,000 Mbit/s. */
function phySpeed(s: E1000): u32 {
  const control = register(s, Phy.CONTROL);
  if ((control & <u32>(Control.NEGOTIATE | Control.SPEED_1000)) != 0) return GIGABIT;
  return (control & <u32>Control.SPEED_100) != 0 ? 1 : 0;
}

function phyDuplex(s: E1000): bool {
  return (register(s, Phy.CONTROL) & <u32>(Control.NEGOTIATE | Control.DUPLEX)) != 0;
}

/** The MAC has a link: it was told to believe the transceiver (CTRL.SLU), which sees one or loops. */
export function linkSeen(s: E1000): bool {
  return (s.ctrl & <u32>Ctrl.SLU) != 0 && (phyLink(s) || phyLoops(s));
}

/** Brings STATUS.LU up to date; a change is a cause of interrupt. */
export function updateLink(s: E1000): void {
  const up: u32 = linkSeen(s) ? 1 : 0;
  if (up == s.linkUp) return;
  s.linkUp = up;
  setLinkCause(s);
}

/** SPEED and FD as STATUS has them: forced by CTRL, or the transceiver's. */
export function linkSpeed(s: E1000): u32 {
  return (s.ctrl & <u32>Ctrl.FRCSPD) != 0 ? (s.ctrl & <u32>Ctrl.SPEED_MASK) >> 8 : phySpeed(s);
}

export function linkDuplex(s: E1000): bool {
  return (s.ctrl & <u32>Ctrl.FRCDPX) != 0 ? (s.ctrl & <u32>Ctrl.FD) != 0 : phyDuplex(s);
}

/** A write to MDIC is an access to the transceiver; it is over at once. */
export function writeMdic(s: E1000, value: u32): void {
  const index = (value >> <u32>Mdic.REGISTER_SHIFT) & 0x1f;
  const operation = value & <u32>(Mdic.READ | Mdic.WRITE);
  value &= ~(<u32>(Mdic.READY | Mdic.ERROR));
  if (((value >> <u32>Mdic.PHY_SHIFT) & 0x1f) != PHY_ADDRESS) value |= <u32>Mdic.ERROR;
  else if (operation == <u32>Mdic.READ) value = (value & 0xffff_0000) | phyRead(s, index);
  else if (operation == <u32>Mdic.WRITE) phyWrite(s, index, value & 0xffff);
  s.mdic = value | <u32>Mdic.READY;
  if ((value & <u32>Mdic.INTERRUPT) != 0) setCause(s, Cause.MDAC);
}

function paged(s: E1000, index: u32): bool {
  return is82574(s) && index >= 16 && index != <u32>Phy.PAGE && register(s, Phy.PAGE) != 0;
}

function phyRead(s: E1000, index: u32): u32 {
  if (paged(s, index)) return 0;
  const link = phyLink(s);
  const negotiates = (register(s, Phy.CONTROL) & <u32>Control.NEGOTIATE) != 0;
  switch (index) {
    case Phy.STATUS:
      return <u32>Status.ABILITIES | (link ? <u32>Status.LINK : 0) | (link && negotiates ? <u32>Status.NEGOTIATED : 0);
    case Phy.PARTNER_ABILITY:
    case Phy.EXPANSION:
    case Phy.GIGABIT_STATUS:
      return link && negotiates ? register(s, <Phy>index) : 0;
    case Phy.SPECIFIC_STATUS: {
      if (!link) return 0;
      const duplex: u32 = phyDuplex(s) ? <u32>Specific.DUPLEX : 0;
      return <u32>(Specific.LINK | Specific.RESOLVED | Specific.CABLE) | duplex | (phySpeed(s) << <u32>Specific.SPEED_SHIFT);
    }
    default:
      return register(s, <Phy>index);
  }
}

function phyWrite(s: E1000, index: u32, value: u32): void {
  if (paged(s, index)) return;
  switch (index) {
    case Phy.CONTROL:
      if ((value & <u32>Control.RESET) != 0) phyReset(s);
      else setRegister(s, Phy.CONTROL, value & ~(<u32>Control.RESTART));
      updateLink(s);
      break;
    case Phy.ADVERTISEMENT:
    case Phy.GIGABIT_CONTROL:
    case Phy.SPECIFIC_CONTROL:
    case Phy.EXTENDED_CONTROL:
    case Phy.PAGE:
      setRegister(s, <Phy>index, value);
      break;
    default:
      // The others are read-only, or diagnostics that read back.
      if (index >= 23) setRegister(s, <Phy>index, value);
      break;
  }
}
