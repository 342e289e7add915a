// Where the host brings replies of a share that took their time.
import { virtioPoll } from "../virtio/service";
import { virtio9pDone } from "./virtio-9p";

/** The reply, `length` bytes at `address`, to the request that was called `tag`. False: nobody waits for it. */
export function shareDone(share: u32, tag: u32, address: usize, length: u32): bool {
  if (!virtio9pDone(share, tag, address, length)) return false;
  virtioPoll();
  return true;
}
