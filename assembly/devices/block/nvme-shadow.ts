// Doorbell Buffer Config (NVMe 1.4, 5.7 and 7.13): doorbells of the I/O queues in guest memory,
// for a controller that a hypervisor makes. A driver writes each new value to the shadow
// doorbell buffer, and to the register only if the value passes the queue's event index. It is
// an extension that no drive has: a controller offers it only if it was attached so.
//
//   shadow, event index   dword 2y: submission queue y's tail, 2y + 1: completion queue y's head
//
// Who writes least? A submission is executed at the doorbell, before the guest's next
// instruction, and its driver has the completion without ever going to sleep: dearer than the
// exit would be a command that waits for somebody to look. So submission tails always ask for
// the register. Completion heads never do, as long as no command waits for room: the event
// index stays behind the head. They are looked at when they matter: at any doorbell, at the end
// of a flush, between slices, and when the driver ends its interrupt at the interrupt controller
// (nvmeLook, called by the bus), for there the pin must have fallen if all is consumed.
//
// What the guest puts there is hostile like any doorbell: a value that no queue could have is
// reported and not taken.
import { dmaRead, dmaWrite } from "../../memory/ram";
import { ErrorEvent, reportError } from "./nvme-events";
import { setHead } from "./nvme-queues";
import { Limit, Nvme, PAGE_SIZE, Status, commandAt, cqAt, sqAt } from "./nvme-state";

/** Bytes of a buffer that are used. */
const BUFFER: u32 = Limit.QUEUES * 8;

/** The command. */
export function configureDoorbells(s: Nvme): Status {
  const c = commandAt(s);
  if (s.doorbellBuffer == 0) return Status.INVALID_OPCODE;
  if (((c.prp1 | c.prp2) & (PAGE_SIZE - 1)) != 0) return Status.PRP_OFFSET_INVALID;
  if (dmaRead(c.prp1, PAGE_SIZE) == 0 || dmaRead(c.prp2, PAGE_SIZE) == 0) return Status.INVALID_FIELD;
  s.shadow = c.prp1;
  s.eventIndex = c.prp2;
  askForDoorbells(s);
  return Status.SUCCESS;
}

// @ts-ignore: decorator
@inline
export function hasShadow(s: Nvme): bool {
  return s.shadow != 0;
}

/** The shadow of doorbell `index`. */
export function shadowDoorbell(s: Nvme, index: u32): u32 {
  const shadow = dmaRead(s.shadow, BUFFER);
  return load<u32>(shadow + (<usize>index << 2));
}

/** Takes the completion queues' heads; true if one has moved. */
export function takeHeads(s: Nvme): bool {
  const shadow = dmaRead(s.shadow, BUFFER);
  let moved = false;
  for (let id: u32 = 1; id < <u32>Limit.QUEUES; id++) {
    const cq = cqAt(s, id);
    if (cq.size == 0) continue;
    const head = load<u32>(shadow + (<usize>id << 3), 4);
    if (head == cq.head) continue;
    if (setHead(cq, head)) moved = true;
    else reportError(s, ErrorEvent.INVALID_DOORBELL_VALUE);
  }
  return moved;
}

/** Writes the event indexes: what the driver must ring for from here on. */
export function askForDoorbells(s: Nvme): void {
  const shadow = dmaRead(s.shadow, BUFFER);
  const eventIndex = dmaWrite(s.eventIndex, BUFFER);
  for (let id: u32 = 1; id < <u32>Limit.QUEUES; id++) {
    const at = <usize>id << 3;
    if (sqAt(s, id).size != 0) store<u32>(eventIndex + at, load<u32>(shadow + at) & 0xffff);
    if (cqAt(s, id).size == 0) continue;
    const head = load<u32>(shadow + at, 4);
    store<u32>(eventIndex + at, (waitsForRoom(s, id) ? head : head - 1) & 0xffff, 4);
  }
}

/** True if a command waits in a submission queue of completion queue `id`. */
function waitsForRoom(s: Nvme, id: u32): bool {
  for (let i: u32 = 1; i < <u32>Limit.QUEUES; i++) {
    const sq = sqAt(s, i);
    if (sq.size != 0 && sq.completionQueue == id && sq.head != sq.tail) return true;
  }
  return false;
}

/** After a restore: the buffers lie in memory, and are there only if they may be. */
export function shadowSound(s: Nvme): bool {
  if (s.doorbellBuffer > 1) return false;
  if (s.shadow == 0) return s.eventIndex == 0;
  const aligned = ((s.shadow | s.eventIndex) & (PAGE_SIZE - 1)) == 0;
  return s.doorbellBuffer == 1 && aligned && dmaRead(s.shadow, PAGE_SIZE) != 0 && dmaRead(s.eventIndex, PAGE_SIZE) != 0;
}
