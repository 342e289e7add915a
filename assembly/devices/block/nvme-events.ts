// Asynchronous events (NVMe 1.4, 5.2). A driver leaves requests with the controller, which
// completes one when it has something to say. This controller's health does not change, so
// what there is to say is that a driver wrote nonsense to a doorbell. After one error event
// the next waits until the driver has read the error log.
import { Limit, Nvme, Status, cqAt } from "./nvme-state";
import { complete, hasRoom } from "./nvme-queues";

/** Event information of error events. */
export const enum ErrorEvent {
  INVALID_DOORBELL_REGISTER = 0,
  INVALID_DOORBELL_VALUE = 1,
}

const ERROR_LOG: u32 = 0x01;

export function requestAsyncEvent(s: Nvme, command: u32): Status {
  if (s.asyncCount == <u32>Limit.ASYNC_EVENTS) return Status.ASYNC_EVENT_LIMIT_EXCEEDED;
  s.asyncIds |= <u64>command << (s.asyncCount << 4);
  s.asyncCount++;
  return Status.PENDING;
}

export function reportError(s: Nvme, event: ErrorEvent): void {
  s.asyncPending |= 1 << event;
}

/** Completes a request if an event is due, a request is there and the admin completion queue has room. */
export function deliverEvents(s: Nvme): void {
  if (s.asyncPending == 0 || s.asyncMasked != 0 || s.asyncCount == 0 || !hasRoom(cqAt(s, 0))) return;
  const event = ctz(s.asyncPending);
  const command = <u32>s.asyncIds & 0xffff;
  s.asyncIds >>= 16;
  s.asyncCount--;
  s.asyncPending = 0;
  s.asyncMasked = 1;
  // DW0: type 0 (error), information, log page.
  complete(s, 0, command, Status.SUCCESS, (event << 8) | (ERROR_LOG << 16));
}

export function forgetEvents(s: Nvme): void {
  s.asyncIds = 0;
  s.asyncCount = 0;
  s.asyncPending = 0;
  s.asyncMasked = 0;
}
