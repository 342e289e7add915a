// Frames from a drive (SATA, 10.5) as the controller leaves them in the received-frame area
// at PxFB (4.2.1), and what each does to the port's registers. They are written only while
// PxCMD.FRE is set; the registers change all the same, but for the signature, which waits.
//
//   +0x00  DMA Setup       +0x20  PIO Setup
//   +0x40  Register        +0x58  Set Device Bits
import { dmaWrite } from "../../memory/ram";
import { Ata, Cmd, Is, PortState, SIGNATURE, halt, setTaskFile, taskfileOf } from "./ahci-state";

const enum Area {
  DMA_SETUP = 0x00,
  PIO_SETUP = 0x20,
  REGISTER = 0x40,
  DEVICE_BITS = 0x58,
  SIZE = 0x100,
}

const enum Fis {
  REGISTER = 0x34,
  DMA_SETUP = 0x41,
  PIO_SETUP = 0x5f,
  DEVICE_BITS = 0xa1,
}

/** Bits of a frame's second byte. */
const INTERRUPT: u32 = 1 << 6;
const TO_HOST: u32 = 1 << 5;

/** The received-frame area, or 0 if no frames are to be written; an area outside memory is a fatal error. */
function areaOf(p: PortState): usize {
  if ((p.cmd & <u32>Cmd.FRE) == 0) return 0;
  const at = dmaWrite(p.fb, Area.SIZE);
  if (at == 0) halt(p, Is.HBFS);
  return at;
}

/** The 16 bytes that Register and PIO Setup frames have in common. */
function putRegisters(p: PortState, at: usize, type: Fis, flags: u32): void {
  const t = taskfileOf(p);
  store<u32>(at, type | (flags << 8) | (t.status << 16) | (t.error << 24));
  store<u32>(at, (<u32>t.lba & 0xff_ffff) | (t.device << 24), 4);
  store<u32>(at, <u32>(t.lba >> 24) & 0xff_ffff, 8);
  store<u32>(at, t.count & 0xffff, 12);
}

/** The drive's registers: the end of a command, or, without interrupt, that a queued one was accepted. */
export function registerFrame(p: PortState, interrupt: bool): void {
  const t = taskfileOf(p);
  setTaskFile(p, t.status, t.error);
  if (interrupt) p.is |= Is.DHRS;
  const area = areaOf(p);
  if (area == 0) return;
  putRegisters(p, area + Area.REGISTER, Fis.REGISTER, interrupt ? INTERRUPT : 0);
  store<u32>(area + Area.REGISTER, 0, 16);
}

/** The last of the frames that announce blocks of a PIO transfer to the host; its ending status ends the command. */
export function pioFrame(p: PortState, blockBytes: u32): void {
  const t = taskfileOf(p);
  setTaskFile(p, t.status, t.error);
  p.is |= Is.PSS;
  const area = areaOf(p);
  if (area == 0) return;
  const at = area + Area.PIO_SETUP;
  putRegisters(p, at, Fis.PIO_SETUP, INTERRUPT | TO_HOST);
  store<u8>(at, <u8>(Ata.GOOD | Ata.DRQ), 2);
  store<u8>(at, <u8>t.status, 15); // ending status
  store<u32>(at, blockBytes, 16);
}

/** Announces the data of queued command `tag`, `bytes` long. */
export function dmaSetupFrame(p: PortState, tag: u32, bytes: u32, toHost: bool): void {
  const area = areaOf(p);
  if (area == 0) return;
  const at = area + Area.DMA_SETUP;
  store<u32>(at, Fis.DMA_SETUP | ((toHost ? TO_HOST : 0) << 8));
  store<u64>(at, tag, 4);
  store<u64>(at, 0, 12);
  store<u64>(at, bytes, 20);
}

/** Queued commands have ended: those of `tags` well; with an error in the task file, one has not. */
export function deviceBitsFrame(p: PortState, tags: u32): void {
  const t = taskfileOf(p);
  // BSY and DRQ are not this frame's to change.
  const status = t.status & ~<u32>(Ata.BSY | Ata.DRQ);
  setTaskFile(p, status | (p.tfd & <u32>(Ata.BSY | Ata.DRQ)), t.error);
  p.sact &= ~tags;
  p.is |= Is.SDBS;
  const area = areaOf(p);
  if (area == 0) return;
  store<u32>(area + Area.DEVICE_BITS, Fis.DEVICE_BITS | (INTERRUPT << 8) | (status << 16) | (t.error << 24));
  store<u32>(area + Area.DEVICE_BITS, tags, 4);
}

/** After a reset: the drive is ready and says what it is, once the port takes frames (10.1). */
export function signatureFrame(p: PortState): void {
  if (p.signature == 0 || (p.cmd & <u32>Cmd.FRE) == 0) return;
  p.signature = 0;
  const t = taskfileOf(p);
  t.status = Ata.GOOD;
  t.error = 1;
  t.lba = (SIGNATURE >> 8) & 0xff_ffff;
  t.device = 0;
  t.count = SIGNATURE & 0xff;
  p.sig = SIGNATURE;
  registerFrame(p, false);
}
