// The register file (chapter 13; 82574 chapter 10): 32 bits each, behind BAR 0. What a
// register does lies in the file of its part; here are the places, and the registers that
// are kept and read back only. Old places of the receive and transmit registers, from the
// 82542's time, are not there; what does not exist reads 0.
import { readEecd, readEerd, readEewr, writeEecd, writeEewr } from "./e1000-nvm";
import {
  readIcr, updatePin, writeIcr, writeIcs, writeImc, writeIms, writeItr, writeRdtr, writeTidv,
} from "./e1000-interrupt";
import { linkDuplex, linkSpeed, updateLink, writeMdic } from "./e1000-phy";
import {
  Ctrl, CtrlExt, E1000, Limit, SCALING_SIZE, STATISTICS_SIZE, addressesAt, eitrAt, is82574, multicastAt, scalingAt, vlansAt,
} from "./e1000-state";
import { readStatistic } from "./e1000-statistics";
import { setSystemTime, systemTime } from "./e1000-time";

export const enum Reg {
  CTRL = 0x0000,
  CTRL_DUP = 0x0004,
  STATUS = 0x0008,
  EECD = 0x0010,
  EERD = 0x0014,
  CTRL_EXT = 0x0018,
  MDIC = 0x0020,
  FCAL = 0x0028,
  FCAH = 0x002c,
  FCT = 0x0030,
  VET = 0x0038,
  ICR = 0x00c0,
  ITR = 0x00c4,
  ICS = 0x00c8,
  IMS = 0x00d0,
  IMC = 0x00d8,
  EIAC = 0x00dc,
  IAM = 0x00e0,
  IVAR = 0x00e4,
  EITR = 0x00e8,
  RCTL = 0x0100,
  FCTTV = 0x0170,
  TXCW = 0x0178,
  TCTL = 0x0400,
  TCTL_EXT = 0x0404,
  TIPG = 0x0410,
  AIT = 0x0458,
  LEDCTL = 0x0e00,
  EXTCNF_CTRL = 0x0f00,
  PBA = 0x1000,
  PBS = 0x1008,
  EEWR = 0x102c,
  PBA_ECC = 0x1100,
  ERT = 0x2008,
  FCRTL = 0x2160,
  FCRTH = 0x2168,
  PSRCTL = 0x2170,
  RDBAL = 0x2800,
  RDBAH = 0x2804,
  RDLEN = 0x2808,
  RDH = 0x2810,
  RDT = 0x2818,
  RDTR = 0x2820,
  RXDCTL = 0x2828,
  RADV = 0x282c,
  RXDCTL1 = 0x2928,
  RSRPD = 0x2c00,
  RAID = 0x2c08,
  TDBAL = 0x3800,
  TDBAH = 0x3804,
  TDLEN = 0x3808,
  TDH = 0x3810,
  TDT = 0x3818,
  TIDV = 0x3820,
  TXDCTL = 0x3828,
  TADV = 0x382c,
  TARC0 = 0x3840,
  TXDCTL1 = 0x3928,
  TARC1 = 0x3940,
  STATISTICS = 0x4000,
  RXCSUM = 0x5000,
  RFCTL = 0x5008,
  MTA = 0x5200,
  RA = 0x5400,
  VFTA = 0x5600,
  WUC = 0x5800,
  WUFC = 0x5808,
  MRQC = 0x5818,
  MANC = 0x5820,
  MANC2H = 0x5860,
  GCR = 0x5b00,
  SWSM = 0x5b50,
  SWSM2 = 0x5b58,
  GCR2 = 0x5b64,
  SCALING = 0x5c00,
  SYSTIML = 0xb600,
  SYSTIMH = 0xb604,
  TIMINCA = 0xb608,
  TSYNCTXCTL = 0xb614,
  TXSTMPL = 0xb618,
  TXSTMPH = 0xb61c,
  TSYNCRXCTL = 0xb620,
  RXMTRL = 0xb634,
  RXUDP = 0xb638,
}

const enum Status {
  FD = 1 << 0,
  LU = 1 << 1,
  SPEED_SHIFT = 6,
  ASDV_SHIFT = 8,
  /** 82574: bits that say what was initialized, and that it may master the bus. */
  PHYRA = 1 << 10,
  GIO_MASTER_ENABLE = 1 << 19,
}

const SWSM_SMBI: u32 = 1;
const TABLE_SIZE: u32 = 0x200;
const ADDRESSES_SIZE: u32 = 0x80;
const TSYNCTXCTL_WRITABLE: u32 = 1 << 4;
const TSYNCTXCTL_VALID: u32 = 1;

/** What was written, for e1000.ts to do the rest: these reach beyond one part. */
export const enum Consequence {
  NONE = 0,
  RESET = 1,
  /** Something that may let frames in or out changed. */
  TRAFFIC = 2,
  /** The driver gave buffers. */
  BUFFERS = 3,
  /** The driver gave frames. */
  FRAMES = 4,
}

// @ts-ignore: decorator
@inline
function field(s: E1000, offset: usize): usize {
  return changetype<usize>(s) + offset;
}

/**
 * Where the register at `offset` is kept, if reading and writing it is all there is to it; else 0. The mask of what can
 * be written is in `writable`.
 */
function keptAt(s: E1000, offset: u32): usize {
  writable = ~0;
  if (offset - <u32>Reg.MTA < TABLE_SIZE) return multicastAt(s) + (offset - <u32>Reg.MTA);
  if (offset - <u32>Reg.VFTA < TABLE_SIZE) return vlansAt(s) + (offset - <u32>Reg.VFTA);
  if (offset - <u32>Reg.RA < ADDRESSES_SIZE) {
    if ((offset & 4) != 0) writable = 0x8003_ffff;
    return addressesAt(s) + (offset - <u32>Reg.RA);
  }
  switch (offset) {
    case Reg.FCAL: return field(s, offsetof<E1000>("fcal"));
    case Reg.FCAH: writable = 0xffff; return field(s, offsetof<E1000>("fcah"));
    case Reg.FCT: writable = 0xffff; return field(s, offsetof<E1000>("fct"));
    case Reg.VET: writable = 0xffff; return field(s, offsetof<E1000>("vet"));
    case Reg.FCTTV: writable = 0xffff; return field(s, offsetof<E1000>("fcttv"));
    case Reg.TXCW: return field(s, offsetof<E1000>("txcw"));
    case Reg.TIPG: writable = 0x3fff_ffff; return field(s, offsetof<E1000>("tipg"));
    case Reg.AIT: writable = 0xffff; return field(s, offsetof<E1000>("ait"));
    case Reg.LEDCTL: return field(s, offsetof<E1000>("ledctl"));
    case Reg.PBA: return field(s, offsetof<E1000>("pba"));
    case Reg.FCRTL: writable = 0x8000_fff8; return field(s, offsetof<E1000>("fcrtl"));
    case Reg.FCRTH: writable = 0xfff8; return field(s, offsetof<E1000>("fcrth"));
    case Reg.RDBAL: writable = 0xffff_fff0; return field(s, offsetof<E1000>("rdbal"));
    case Reg.RDBAH: return field(s, offsetof<E1000>("rdbah"));
    case Reg.RDLEN: writable = 0x000f_ff80; return field(s, offsetof<E1000>("rdlen"));
    case Reg.RDH: writable = 0xffff; return field(s, offsetof<E1000>("rdh"));
    case Reg.RADV: writable = 0xffff; return field(s, offsetof<E1000>("radv"));
    case Reg.RXDCTL: return field(s, offsetof<E1000>("rxdctl"));
    case Reg.RSRPD: writable = 0xfff; return field(s, offsetof<E1000>("rsrpd"));
    case Reg.TDBAL: writable = 0xffff_fff0; return field(s, offsetof<E1000>("tdbal"));
    case Reg.TDBAH: return field(s, offsetof<E1000>("tdbah"));
    case Reg.TDLEN: writable = 0x000f_ff80; return field(s, offsetof<E1000>("tdlen"));
    case Reg.TDH: writable = 0xffff; return field(s, offsetof<E1000>("tdh"));
    case Reg.TADV: writable = 0xffff; return field(s, offsetof<E1000>("tadv"));
    case Reg.TXDCTL: return field(s, offsetof<E1000>("txdctl"));
    case Reg.RXCSUM: return field(s, offsetof<E1000>("rxcsum"));
    case Reg.WUC: return field(s, offsetof<E1000>("wuc"));
    case Reg.WUFC: return field(s, offsetof<E1000>("wufc"));
    case Reg.MANC: return field(s, offsetof<E1000>("manc"));
    default: return is82574(s) ? keptAt82574(s, offset) : 0;
  }
}

/** Of the last keptAt(). */
let writable: u32 = 0;

function keptAt82574(s: E1000, offset: u32): usize {
  if (offset - <u32>Reg.SCALING < SCALING_SIZE) return scalingAt(s) + (offset - <u32>Reg.SCALING);
  switch (offset) {
    case Reg.EIAC: writable = 0x01f0_0000; return field(s, offsetof<E1000>("eiac"));
    case Reg.IAM: return field(s, offsetof<E1000>("iam"));
    case Reg.IVAR: return field(s, offsetof<E1000>("ivar"));
    case Reg.TCTL_EXT: return field(s, offsetof<E1000>("tctlExt"));
    case Reg.EXTCNF_CTRL: return field(s, offsetof<E1000>("extcnfCtrl"));
    case Reg.PBS: return field(s, offsetof<E1000>("pbs"));
    case Reg.PBA_ECC: return field(s, offsetof<E1000>("pbaEcc"));
    case Reg.ERT: return field(s, offsetof<E1000>("ert"));
    case Reg.PSRCTL: return field(s, offsetof<E1000>("psrctl"));
    case Reg.RXDCTL1: return field(s, offsetof<E1000>("rxdctl1"));
    case Reg.RAID: return field(s, offsetof<E1000>("raid"));
    case Reg.TARC0: return field(s, offsetof<E1000>("tarc0"));
    case Reg.TXDCTL1: return field(s, offsetof<E1000>("txdctl1"));
    case Reg.TARC1: return field(s, offsetof<E1000>("tarc1"));
    case Reg.RFCTL: return field(s, offsetof<E1000>("rfctl"));
    case Reg.MRQC: return field(s, offsetof<E1000>("mrqc"));
    case Reg.MANC2H: return field(s, offsetof<E1000>("manc2h"));
    case Reg.GCR: return field(s, offsetof<E1000>("gcr"));
    case Reg.GCR2: return field(s, offsetof<E1000>("gcr2"));
    case Reg.SWSM2: return field(s, offsetof<E1000>("swsm2"));
    case Reg.TSYNCRXCTL: return field(s, offsetof<E1000>("tsyncrxctl"));
    case Reg.RXMTRL: return field(s, offsetof<E1000>("rxmtrl"));
    case Reg.RXUDP: return field(s, offsetof<E1000>("rxudp"));
    default: return 0;
  }
}

function readStatus(s: E1000): u32 {
  const speed = linkSpeed(s);
  let value = (linkDuplex(s) ? <u32>Status.FD : 0) | (s.linkUp != 0 ? <u32>Status.LU : 0);
  value |= (speed << <u32>Status.SPEED_SHIFT) | (speed << <u32>Status.ASDV_SHIFT);
  if (!is82574(s)) return value;
  if (s.phyResetAsserted != 0) value |= <u32>Status.PHYRA;
  if ((s.ctrl & <u32>Ctrl.GIO_MASTER_DISABLE) == 0) value |= <u32>Status.GIO_MASTER_ENABLE;
  return value;
}

export function readRegister(s: E1000, offset: u32): u32 {
  switch (offset) {
    case Reg.CTRL:
    case Reg.CTRL_DUP: return s.ctrl;
    case Reg.STATUS: return readStatus(s);
    case Reg.EECD: return readEecd(s);
    case Reg.EERD: return s.eerd;
    case Reg.CTRL_EXT: return s.ctrlExt;
    case Reg.MDIC: return s.mdic;
    case Reg.ICR: return readIcr(s);
    case Reg.ITR: return s.itr;
    case Reg.IMS: return s.ims;
    case Reg.RCTL: return s.rctl;
    case Reg.TCTL: return s.tctl;
    case Reg.RDT: return s.rdt;
    case Reg.RDTR: return s.rdtr;
    case Reg.TDT: return s.tdt;
    case Reg.TIDV: return s.tidv;
  }
  if (offset - <u32>Reg.STATISTICS < STATISTICS_SIZE) return readStatistic(s, offset - <u32>Reg.STATISTICS);
  const at = keptAt(s, offset);
  if (at != 0) return load<u32>(at);
  return is82574(s) ? read82574(s, offset) : 0;
}

function read82574(s: E1000, offset: u32): u32 {
  if (offset - <u32>Reg.EITR < <u32>Limit.VECTORS << 2) return load<u32>(eitrAt(s, (offset - <u32>Reg.EITR) >> 2));
  switch (offset) {
    case Reg.EEWR: return readEewr();
    case Reg.SWSM: {
      // Reading takes the semaphore, if it is free.
      const value = s.swsm;
      s.swsm |= SWSM_SMBI;
      return value;
    }
    case Reg.SYSTIML: return <u32>systemTime(s);
    case Reg.SYSTIMH: return <u32>(systemTime(s) >> 32);
    case Reg.TIMINCA: return s.timinca;
    case Reg.TSYNCTXCTL: return s.tsynctxctl;
    case Reg.TXSTMPL: return s.txstmpl;
    case Reg.TXSTMPH: {
      s.tsynctxctl &= ~TSYNCTXCTL_VALID;
      return s.txstmph;
    }
    default: return 0;
  }
}

export function writeRegister(s: E1000, offset: u32, value: u32): Consequence {
  switch (offset) {
    case Reg.TDT:
      s.tdt = value & 0xffff;
      return Consequence.FRAMES;
    case Reg.RDT:
      s.rdt = value & 0xffff;
      return Consequence.BUFFERS;
    case Reg.CTRL:
    case Reg.CTRL_DUP: return writeCtrl(s, value);
    case Reg.STATUS:
      if ((value & <u32>Status.PHYRA) == 0) s.phyResetAsserted = 0;
      return Consequence.NONE;
    case Reg.EECD:
      writeEecd(s, value);
      return Consequence.NONE;
    case Reg.EERD:
      readEerd(s, value);
      return Consequence.NONE;
    case Reg.CTRL_EXT:
      s.ctrlExt = value & ~(<u32>CtrlExt.EE_RST);
      return Consequence.NONE;
    case Reg.MDIC:
      writeMdic(s, value);
      return Consequence.TRAFFIC;
    case Reg.ICR:
      writeIcr(s, value);
      return Consequence.NONE;
    case Reg.ITR:
      writeItr(s, value);
      return Consequence.NONE;
    case Reg.ICS:
      writeIcs(s, value);
      return Consequence.NONE;
    case Reg.IMS:
      writeIms(s, value);
      return Consequence.NONE;
    case Reg.IMC:
      writeImc(s, value);
      return Consequence.NONE;
    case Reg.RCTL:
      s.rctl = value;
      return Consequence.TRAFFIC;
    case Reg.TCTL:
      s.tctl = value;
      return Consequence.TRAFFIC;
    case Reg.RDTR:
      writeRdtr(s, value);
      return Consequence.NONE;
    case Reg.TIDV:
      writeTidv(s, value);
      return Consequence.NONE;
  }
  const at = keptAt(s, offset);
  if (at != 0) store<u32>(at, value & writable);
  else if (is82574(s)) write82574(s, offset, value);
  return Consequence.NONE;
}

function write82574(s: E1000, offset: u32, value: u32): void {
  if (offset - <u32>Reg.EITR < <u32>Limit.VECTORS << 2) {
    store<u32>(eitrAt(s, (offset - <u32>Reg.EITR) >> 2), value & 0xffff);
    return;
  }
  switch (offset) {
    case Reg.EEWR:
      writeEewr(s, value);
      break;
    case Reg.SWSM:
      s.swsm = value & 0xf;
      break;
    case Reg.SYSTIML:
      setSystemTime(s, (systemTime(s) & 0xffff_ffff_0000_0000) | value, s.timinca);
      break;
    case Reg.SYSTIMH:
      setSystemTime(s, (systemTime(s) & 0xffff_ffff) | (<u64>value << 32), s.timinca);
      break;
    case Reg.TIMINCA:
      setSystemTime(s, systemTime(s), value);
      break;
    case Reg.TSYNCTXCTL:
      s.tsynctxctl = (s.tsynctxctl & ~TSYNCTXCTL_WRITABLE) | (value & TSYNCTXCTL_WRITABLE);
      break;
  }
}

function writeCtrl(s: E1000, value: u32): Consequence {
  if ((value & <u32>Ctrl.RST) != 0) return Consequence.RESET;
  if ((value & <u32>Ctrl.PHY_RST) != 0 && (s.ctrl & <u32>Ctrl.PHY_RST) == 0) s.phyResetAsserted = 1;
  s.ctrl = value;
  updateLink(s);
  updatePin(s);
  return Consequence.TRAFFIC;
}
