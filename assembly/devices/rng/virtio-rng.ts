// virtio entropy device (virtio 1.2, 5.4): fills the driver's buffers from the host's
// entropy, or from the seed's stream. A large buffer is filled in part, as the
// specification allows: drivers take what the used length says.
import { entropy } from "../../host";
import { nextRun, seek } from "../virtio/chain";
import { VirtioDevice, chainAt } from "../virtio/device";
import { Served } from "../virtio/served";

export const QUEUE_SIZE: u32 = 8;

/** Bytes given at most for one buffer: a driver that asks for gigabytes shall not hold the host. */
const FILL_BYTES: u32 = 64 << 10;

export function serve(d: VirtioDevice): i64 {
  const c = chainAt(d);
  const length = min(c.writableBytes, FILL_BYTES);
  if (length == 0 || !seek(c, true, 0, length)) return Served.BROKEN;
  for (let address = nextRun(c, length); address != 0; address = nextRun(c, length)) entropy(address, c.run);
  return length;
}
