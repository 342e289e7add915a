// A network that is none: the device is there, its link is down.
import type { NetBackend } from "./net.ts";

export function unpluggedNet(): NetBackend {
  return {
    name: "none",
    accepts: 0,
    dhcp: false,
    open: (guest) => guest.setLink(false),
    send() {},
    ready() {},
    close() {},
  };
}
