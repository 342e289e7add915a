// virtio memory device (virtio 1.2, 5.15): a region of guest physical memory behind RAM, of which the
// driver plugs and unplugs blocks so as to come to the size that the host asks for.
//
// The memory is there in any case: a block that is not plugged reads as zeros or as what was
// written to it, harms nobody, and is zeroed when it is unplugged. Plugged blocks are a bit each
// in the device's own state. They stay plugged through a reset of the device, not of the machine.
//
// A request is {type u16, 6 bytes, addr u64, nb_blocks u16, 6 bytes}, its answer
// {type u16, 6 bytes, state u16}.
//
// Left out: NUMA nodes, suspending with plugged blocks (PERSISTENT_SUSPEND).
import { DeviceKind } from "../../abi/device";
import { Gpa } from "../../abi/layout";
import { VirtioMem } from "../../abi/virtio";
import { inRam, zeroMemory } from "../../memory/ram";
import { copyFromChain, copyToChain } from "../virtio/chain";
import { VirtioDevice, chainAt, configAt, configChanged, deviceAt, deviceIs, privateAt } from "../virtio/device";
import { Served } from "../virtio/served";

export const QUEUE_SIZE: u32 = 128;
export const CONFIG_SIZE: u32 = VirtioMem.CONFIG_SIZE;

const BLOCK: u64 = VirtioMem.BLOCK_BYTES;
/** Blocks of the largest region there is room for: 3 GiB. */
const MOST_BLOCKS: u32 = 1536;

@unmanaged
class Mem {
  /** Blocks in the region, and how many of them are plugged. */
  blocks: u32;
  plugged: u32;
  // The request being served.
  type: u16;
  padding0: u16;
  padding1: u32;
  addr: u64;
  count: u16;
  padding2: u16;
  padding3: u32;
  // Its answer.
  answer: u16;
  padding4: u16;
  padding5: u32;
  state: u16;
}

const enum At {
  PLUGGED = 0x40,
  PLUGGED_SIZE = 192,
}

// @ts-ignore: decorator
@inline
function memOf(d: VirtioDevice): Mem {
  return changetype<Mem>(privateAt(d));
}

// @ts-ignore: decorator
@inline
function byteOf(d: VirtioDevice, block: u32): usize {
  return privateAt(d) + <usize>At.PLUGGED + (block >> 3);
}

function isPlugged(d: VirtioDevice, block: u32): bool {
  return ((load<u8>(byteOf(d, block)) >> (block & 7)) & 1) != 0;
}

export function features(): u64 {
  return 1 << VirtioMem.F_UNPLUGGED_INACCESSIBLE;
}

export function attached(d: VirtioDevice, capacity: f64): void {
  const blocks = capacity > 0 ? capacity / <f64>BLOCK : 0;
  memOf(d).blocks = <u32>min(blocks, <f64>MOST_BLOCKS);
  store<u64>(configAt(d), BLOCK, VirtioMem.CONFIG_BLOCK_SIZE);
}

/** After attaching: the region begins at page `page` of memory. False if there is no such device, or no memory for it. */
export function virtioMemSetPlace(index: u32, page: u32): bool {
  if (!deviceIs(index, DeviceKind.VIRTIO_MEM)) return false;
  const d = deviceAt(index);
  const config = configAt(d);
  const start = <u64>(<u32>Gpa.RAM) + (<u64>page << 12);
  const size = <u64>memOf(d).blocks * BLOCK;
  if (load<u64>(config, VirtioMem.CONFIG_ADDR) != 0 || size == 0 || (start & (BLOCK - 1)) != 0 || !inRam(start, size)) return false;
  store<u64>(config, start, VirtioMem.CONFIG_ADDR);
  store<u64>(config, size, VirtioMem.CONFIG_REGION_SIZE);
  store<u64>(config, size, VirtioMem.CONFIG_USABLE_REGION_SIZE);
  return true;
}

/** Asks the driver to plug or unplug until it has `bytes`, cut to blocks and to the region. False: there is no such device. */
export function virtioMemSetRequested(index: u32, bytes: f64): bool {
  if (!deviceIs(index, DeviceKind.VIRTIO_MEM)) return false;
  const d = deviceAt(index);
  const blocks = <u64>max<f64>(0, min<f64>(bytes / <f64>BLOCK, <f64>memOf(d).blocks));
  store<u64>(configAt(d), blocks * BLOCK, VirtioMem.CONFIG_REQUESTED_SIZE);
  configChanged(d);
  return true;
}

/** Bytes plugged now. */
export function virtioMemPlugged(index: u32): f64 {
  return deviceIs(index, DeviceKind.VIRTIO_MEM) ? <f64>(<u64>memOf(deviceAt(index)).plugged * BLOCK) : 0;
}

export function serve(d: VirtioDevice): i64 {
  const c = chainAt(d);
  const m = memOf(d);
  const request = changetype<usize>(m) + offsetof<Mem>("type");
  const answer = changetype<usize>(m) + offsetof<Mem>("answer");
  if (c.writableBytes < <u32>VirtioMem.RESP_BYTES || !copyFromChain(c, 0, request, VirtioMem.REQ_BYTES)) return Served.BROKEN;
  memory.fill(answer, 0, VirtioMem.RESP_BYTES);
  m.answer = <u16>answerTo(d, m);
  return copyToChain(c, 0, answer, VirtioMem.RESP_BYTES) ? VirtioMem.RESP_BYTES : Served.BROKEN;
}

function answerTo(d: VirtioDevice, m: Mem): u32 {
  if (m.type == <u16>VirtioMem.REQ_UNPLUG_ALL) {
    for (let block: u32 = 0; block < m.blocks; block++) if (isPlugged(d, block)) setPlugged(d, m, block, false);
    return VirtioMem.RESP_ACK;
  }
  // 5.15.6.2: a range of whole blocks inside the usable region.
  const config = configAt(d);
  const offset = m.addr - load<u64>(config, VirtioMem.CONFIG_ADDR);
  const first = offset / BLOCK;
  const count: u32 = m.count;
  if (count == 0 || (offset & (BLOCK - 1)) != 0 || first >= <u64>m.blocks || <u64>count > <u64>m.blocks - first) return VirtioMem.RESP_ERROR;
  const begin = <u32>first;
  const end = begin + count;
  let plugged: u32 = 0;
  for (let block = begin; block < end; block++) if (isPlugged(d, block)) plugged++;
  switch (<u32>m.type) {
    case VirtioMem.REQ_PLUG: {
      if (plugged != 0) return VirtioMem.RESP_ERROR;
      const requested = load<u64>(config, VirtioMem.CONFIG_REQUESTED_SIZE);
      if (<u64>(m.plugged + count) * BLOCK > requested) return VirtioMem.RESP_NACK;
      for (let block = begin; block < end; block++) setPlugged(d, m, block, true);
      return VirtioMem.RESP_ACK;
    }
    case VirtioMem.REQ_UNPLUG: {
      if (plugged != count) return VirtioMem.RESP_ERROR;
      for (let block = begin; block < end; block++) setPlugged(d, m, block, false);
      return VirtioMem.RESP_ACK;
    }
    case VirtioMem.REQ_STATE: {
      m.state = <u16>(plugged == count ? VirtioMem.STATE_PLUGGED : plugged == 0 ? VirtioMem.STATE_UNPLUGGED : VirtioMem.STATE_MIXED);
      return VirtioMem.RESP_ACK;
    }
    default: return VirtioMem.RESP_ERROR;
  }
}

function setPlugged(d: VirtioDevice, m: Mem, block: u32, plugged: bool): void {
  const at = byteOf(d, block);
  const bit = <u8>(<u32>1 << (block & 7));
  store<u8>(at, plugged ? load<u8>(at) | bit : load<u8>(at) & ~bit);
  m.plugged += plugged ? 1 : -1;
  const config = configAt(d);
  store<u64>(config, <u64>m.plugged * BLOCK, VirtioMem.CONFIG_PLUGGED_SIZE);
  if (plugged) return;
  zeroMemory(load<u64>(config, VirtioMem.CONFIG_ADDR) + <u64>block * BLOCK, VirtioMem.BLOCK_BYTES);
  d.work += BLOCK;
}

export function validate(d: VirtioDevice): bool {
  const m = memOf(d);
  const config = configAt(d);
  if (m.blocks > MOST_BLOCKS) return false;
  const start = load<u64>(config, VirtioMem.CONFIG_ADDR);
  const size = <u64>m.blocks * BLOCK;
  if (start != 0 && ((start & (BLOCK - 1)) != 0 || !inRam(start, size) || load<u64>(config, VirtioMem.CONFIG_REGION_SIZE) != size)) return false;
  let plugged: u32 = 0;
  for (let block: u32 = 0; block < <u32>At.PLUGGED_SIZE * 8; block++) {
    if (!isPlugged(d, block)) continue;
    if (block >= m.blocks || start == 0) return false;
    plugged++;
  }
  return plugged == m.plugged && load<u64>(config, VirtioMem.CONFIG_PLUGGED_SIZE) == <u64>plugged * BLOCK;
}
