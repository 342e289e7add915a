// `--net user`: a network for a guest behind this process's sockets, which needs no rights.
import { Nat } from "../../backend/nat/nat.ts";
import { natParts, type UserNetOptions } from "../../backend/nat/options.ts";
import { nodeNatTransport } from "./nat-transport.ts";

/**
 * A NAT in front of this host's network. The guest is 10.0.2.15 (DHCP tells it), the host's loopback 10.0.2.2, its
 * resolver 10.0.2.3. Call prepare() before the guest runs to learn of forwarded ports that are taken, and which
 * ports were picked where 0 was asked for; createGuest() does.
 * @throws OptionError for options that cannot be.
 */
export function userNet(options: UserNetOptions = {}): Nat {
  return new Nat({ name: "user", ...natParts(options), transport: nodeNatTransport() });
}
