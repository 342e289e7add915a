// `wisp` in a page.
import type { Nat } from "../../backend/nat/nat.ts";
import { type WispNetOptions, wispNetOn } from "../../backend/nat/wisp-net.ts";

/**
 * A NAT in front of a Wisp server's network. The guest's names are resolved by the server; the gateway's address leads
 * nowhere, since a page's host has no ports.
 *
 *     import { client } from "@mercuryworkshop/wisp-js/client";
 *     const backend = wispNet({ url: "wss://example.org/wisp/", ClientConnection: client.ClientConnection });
 *     const guest = await createGuest({ kernel, initrd, nets: [{ backend }] });
 *
 * @throws OptionError for options that cannot be.
 */
export function wispNet(options: WispNetOptions): Nat {
  const host = {
    now: () => performance.now(),
    startTimer: (milliseconds: number, then: () => void) => {
      const timer = setTimeout(then, milliseconds);
      return () => clearTimeout(timer);
    },
    random: () => crypto.getRandomValues(new Uint32Array(1))[0],
  };
  return wispNetOn(host, options);
}
