// Interrupts of disks that wait (moderation.ts) go out here, whichever device's they are.
import { DeviceKind } from "../../abi/device";
import { ticks } from "../../clock";
import { VIRTIO_DEVICES, deviceAt, deviceIs } from "../virtio/device";
import { sendOwed } from "../virtio/service";
import { ahciSendWaiting } from "./ahci";
import { anyWaits, moderationDeadline } from "./moderation";
import { nvmeSendWaiting } from "./nvme";

/** A hart has nothing to do: it may as well hear what is done. */
export function sendDiskInterrupts(): void {
  if (!anyWaits()) return;
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) {
    if (deviceIs(index, DeviceKind.VIRTIO_BLK)) sendOwed(deviceAt(index));
  }
  nvmeSendWaiting();
  ahciSendWaiting();
}

/** The tick by which disksUpdate() has something to do, ~0 if it has nothing. */
export function disksDeadline(): u64 {
  return moderationDeadline();
}

/** Sends what has waited long enough. */
export function disksUpdate(): void {
  if (anyWaits() && ticks() >= moderationDeadline()) sendDiskInterrupts();
}
