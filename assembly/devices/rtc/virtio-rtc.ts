// virtio real-time clock (virtio 1.4 draft, as Linux 6.16 and later drive it): clocks that the
// guest reads with a request.
//
//   clock 0  UTC as the host tells it, which may smear leap seconds
//   clock 1  monotonic: guest time since the start
//
// A request is {msg_type u16, 6 bytes, what it asks}, its answer {status u8, 7 bytes, what it says}.
//
// Left out: alarms, and readings together with a counter (the draft has numbers for Arm's and
// x86's counters, none for RISC-V's time): drivers are told that there are none.
import { VirtioRtc } from "../../abi/virtio";
import { ticks, wallNanoseconds } from "../../clock";
import { copyFromChain, copyToChain } from "../virtio/chain";
import { VirtioDevice, chainAt, privateAt } from "../virtio/device";
import { Served } from "../virtio/served";

export const QUEUES: u32 = 1;
export const QUEUE_SIZE: u32 = 64;

const CLOCKS: u16 = 2;
const HEAD: u32 = 8;
/** Bytes of an answer that says something. */
const ANSWER: u32 = 16;
const NANOSECONDS_PER_TICK: u64 = 100;

@unmanaged
class Message {
  type: u16;
  reserved0: u16;
  reserved1: u32;
  clock: u16;
  reserved2: u16;
  reserved3: u32;
  // The answer.
  status: u8;
  reserved4: u8;
  reserved5: u16;
  reserved6: u32;
  value: u64;
}

export function serve(d: VirtioDevice): i64 {
  const c = chainAt(d);
  const m = changetype<Message>(privateAt(d));
  if (c.writableBytes < HEAD || c.readableBytes < HEAD) return Served.BROKEN;
  memory.fill(changetype<usize>(m), 0, offsetof<Message>());
  if (!copyFromChain(c, 0, changetype<usize>(m), min(c.readableBytes, 2 * HEAD))) return Served.BROKEN;
  m.status = <u8>answer(m, c.readableBytes, c.writableBytes);
  const length: u32 = m.status == <u8>VirtioRtc.S_OK ? ANSWER : HEAD;
  return copyToChain(c, 0, changetype<usize>(m) + offsetof<Message>("status"), length) ? length : Served.BROKEN;
}

function answer(m: Message, asked: u32, room: u32): u32 {
  const type: u32 = m.type;
  switch (type) {
    case VirtioRtc.REQ_CFG:
    case VirtioRtc.REQ_READ:
    case VirtioRtc.REQ_CLOCK_CAP:
    case VirtioRtc.REQ_CROSS_CAP: break;
    default: return VirtioRtc.S_EOPNOTSUPP;
  }
  if (room < ANSWER) return VirtioRtc.S_EINVAL;
  if (type == <u32>VirtioRtc.REQ_CFG) {
    m.value = CLOCKS;
    return VirtioRtc.S_OK;
  }
  if (asked < 2 * HEAD) return VirtioRtc.S_EINVAL;
  if (m.clock >= CLOCKS) return VirtioRtc.S_ENODEV;
  const isUtc = m.clock == 0;
  // {type u8, leap_second_smearing u8, flags u8}; {flags u8} without CROSS_CAP.
  if (type == <u32>VirtioRtc.REQ_CLOCK_CAP) m.value = isUtc ? VirtioRtc.CLOCK_UTC_MAYBE_SMEARED : VirtioRtc.CLOCK_MONOTONIC;
  if (type == <u32>VirtioRtc.REQ_READ) m.value = isUtc ? wallNanoseconds() : ticks() * NANOSECONDS_PER_TICK;
  return VirtioRtc.S_OK;
}
