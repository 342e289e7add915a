// Where the host brings answers to requests of its own virtio devices that took their time.
import { virtioPoll } from "../virtio/service";
import { virtioCustomDone } from "./virtio-custom";

/** The answer, `length` bytes at `address`, to the request that was called `tag`. False: nobody waits for it. */
export function customRequestDone(tag: u32, address: usize, length: u32): bool {
  if (!virtioCustomDone(tag, address, length)) return false;
  virtioPoll();
  return true;
}
