// Ports of the host that lead into the guest, in QEMU's spelling:
//   [tcp|udp]:[HOSTADDRESS]:HOSTPORT-[GUESTADDRESS]:GUESTPORT
import { OptionError } from "../../errors.ts";
import { formatAddress, isIn, type NatAddresses, parseAddress, parsePort } from "./address.ts";

export interface NatForward {
  protocol: "tcp" | "udp";
  /** Where the host listens; "0.0.0.0" for all its addresses. */
  hostAddress: string;
  /** 0: one that is free. */
  hostPort: number;
  guestAddress: number;
  guestPort: number;
}

/** @throws OptionError if it is none. */
export function parseForward(text: string, addresses: NatAddresses): NatForward {
  const fail = (what: string) =>
    new OptionError(
      `hostfwd "${text}": ${what}: write [tcp|udp]:[HOSTADDRESS]:HOSTPORT-[GUESTADDRESS]:GUESTPORT, such as tcp::2222-:22`,
    );
  const match = /^([^:]*):([^:-]*):([^:-]*)-([^:]*):([^:]*)$/.exec(text);
  if (match === null) throw fail("that is no forwarding");
  const [, protocol, host, hostPort, guest, guestPort] = match;
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "") throw fail(`protocol "${protocol}" is not known`);
  if (host !== "" && parseAddress(host) === undefined) throw fail(`"${host}" is no address`);
  const guestAddress = guest === "" ? addresses.guest : parseAddress(guest);
  if (guestAddress === undefined) throw fail(`"${guest}" is no address`);
  if (!isIn(addresses.net, guestAddress) || guestAddress === addresses.host || guestAddress === addresses.dns) {
    throw fail(`${guest} is no guest's: a guest has an address such as ${formatAddress(addresses.guest)}`);
  }
  const from = parsePort(hostPort, 0);
  if (from === undefined) throw fail(`"${hostPort}" is no port`);
  const to = parsePort(guestPort);
  if (to === undefined) throw fail(`"${guestPort}" is no port`);
  return {
    protocol: protocol === "udp" ? "udp" : "tcp",
    hostAddress: host === "" ? "0.0.0.0" : host,
    hostPort: from,
    guestAddress,
    guestPort: to,
  };
}

export function describeForward({ protocol, hostAddress, hostPort, guestAddress, guestPort }: NatForward): string {
  return `${protocol} ${hostAddress}:${hostPort} to the guest's ${formatAddress(guestAddress)}:${guestPort}`;
}
