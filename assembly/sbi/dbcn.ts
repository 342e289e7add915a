// Debug Console extension (SBI 2.0, chapter 12). Output goes to the host as it comes, from
// guest RAM without a copy. Input waits in a ring of 2 KiB that the host fills.
import { ConsolePort } from "../abi/device";
import { DbcnFunction, SbiAt, SbiError } from "../abi/sbi";
import { consoleOut } from "../host";
import { spend } from "../hypercall/budget";
import { dmaRead, dmaWrite, inRam } from "../memory/ram";
import { argument, fail, succeed } from "./call";

const RING: usize = <usize>SbiAt.CONSOLE + 0x800;
const RING_SIZE: u32 = 0x800;

/** A call may move fewer bytes than asked for; this keeps one call short. */
const LARGEST: u64 = 0x1_0000;

@unmanaged
class Console {
  /** Bytes ever put into the ring and taken out of it; the difference waits. */
  written: u32;
  read: u32;
  /** The byte on its way out. */
  byte: u32;
  /** The guest has asked for input: this is a console that somebody types on. */
  isRead: u32;
}

// @ts-ignore: decorator
@inline
function ring(): Console {
  return changetype<Console>(<usize>SbiAt.CONSOLE);
}

/** Input from the host: takes as many of `length` bytes at `address` as there is room for, and says how many. */
export function sbiConsoleInput(address: usize, length: u32): u32 {
  const s = ring();
  const n = min(length, RING_SIZE - min(s.written - s.read, RING_SIZE));
  for (let i: u32 = 0; i < n; i++) {
    store<u8>(RING + ((s.written + i) & (RING_SIZE - 1)), load<u8>(address + i));
  }
  s.written += n;
  return n;
}

export function sbiConsoleIsRead(): bool {
  return ring().isRead != 0;
}

/** The next byte of input, or -1. */
export function takeByte(): i32 {
  const s = ring();
  if (s.written == s.read) return -1;
  const byte = load<u8>(RING + (s.read & (RING_SIZE - 1)));
  s.read++;
  return byte;
}

export function putByte(byte: u64): void {
  const s = ring();
  s.byte = <u32>(byte & 0xff);
  consoleOut(ConsolePort.SBI, changetype<usize>(s) + offsetof<Console>("byte"), 1);
}

export function validateConsole(): bool {
  const s = ring();
  return s.written - s.read <= RING_SIZE;
}

function write(gpa: u64, length: u32): bool {
  const from = dmaRead(gpa, length);
  if (from == 0) return fail(SbiError.INVALID_PARAM);
  consoleOut(ConsolePort.SBI, from, length);
  return succeed(length);
}

function read(gpa: u64, length: u32): bool {
  const s = ring();
  s.isRead = 1;
  const n = min(length, s.written - s.read);
  const to = dmaWrite(gpa, n);
  if (to == 0) return fail(SbiError.INVALID_PARAM);
  for (let i: u32 = 0; i < n; i++) store<u8>(to + i, <u8>takeByte());
  return succeed(n);
}

/** What it moves counts against `budget`. */
export function handleDbcn(fid: u32, budget: u32): bool {
  switch (fid) {
    case DbcnFunction.CONSOLE_WRITE:
    case DbcnFunction.CONSOLE_READ: {
      const length = argument(0);
      const gpa = argument(1);
      // base_addr_hi is the part of the address above XLEN bits; no RAM is there.
      if (argument(2) != 0 || !inRam(gpa, length)) return fail(SbiError.INVALID_PARAM);
      const n = <u32>min(length, LARGEST);
      spend(budget, 0, n);
      return fid == DbcnFunction.CONSOLE_WRITE ? write(gpa, n) : read(gpa, n);
    }
    case DbcnFunction.CONSOLE_WRITE_BYTE:
      spend(budget, 0, 1);
      putByte(argument(0));
      return succeed(0);
    default:
      return fail(SbiError.NOT_SUPPORTED);
  }
}
