// A flush that the host finished later: it belongs to whichever device asked.
import { virtioPoll } from "../virtio/service";
import { ahciDiskDone } from "./ahci";
import { nvmeDiskDone } from "./nvme";
import { virtioBlkDiskDone } from "./virtio-blk";
import { virtioPmemDiskDone } from "./virtio-pmem";

/** Completes flush `tag` of disk `backend` with 0 or a negative errno. False: nobody waits for it. */
export function diskDone(backend: u32, tag: u32, status: i32): bool {
  if (!virtioBlkDiskDone(backend, tag, status) && !virtioPmemDiskDone(backend, tag, status)) {
    return nvmeDiskDone(backend, tag, status) || ahciDiskDone(backend, tag, status);
  }
  virtioPoll();
  return true;
}
