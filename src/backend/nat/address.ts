// IPv4 addresses as numbers, and where the guest's network has what.
import { OptionError } from "../../errors.ts";

/** The number of "10.0.2.2", or undefined if that is no address. */
export function parseAddress(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export interface Prefix {
  address: number;
  mask: number;
}

/** "10.0.0.0/8", or an address alone; undefined if it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address, length, more] = text.split("/");
  const number = parseAddress(address);
  if (number === undefined || more !== undefined) return undefined;
  if (length === undefined) return { address: number, mask: 0xffff_ffff };
  if (!/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  const mask = maskOf(Number(length));
  return { address: (number & mask) >>> 0, mask };
}

export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
}

export function isIn({ address, mask }: Prefix, other: number): boolean {
  return (other & mask) >>> 0 === address;
}

/** A port from 1 (or `least`) to 65535; undefined if `text` is none. */
export function parsePort(text: string, least = 1): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= least && port <= 65535 ? port : undefined;
}

/** The addresses of the guest's network. */
export interface NatAddresses {
  net: Prefix;
  /** The gateway, which stands for the host. */
  host: number;
  /** The DNS server, which stands for the host's. */
  dns: number;
  /** What the first guest that asks with DHCP is given; those after it get the ones after it. */
  guest: number;
}

/** Fills in what is not given. @throws OptionError for what cannot be. */
export function natAddresses(given: { net?: string; host?: string; dns?: string; guest?: string } = {}): NatAddresses {
  const net = parsePrefix(given.net ?? "10.0.2.0/24");
  if (net === undefined || net.mask < maskOf(8) || net.mask > maskOf(27)) {
    throw new OptionError(`net "${given.net}" is no network: write one such as 10.0.2.0/24, with 8 to 27 bits`);
  }
  const addressOf = (name: "host" | "dns" | "guest", number: number): number => {
    const text = given[name];
    const address = text === undefined ? net.address + number : parseAddress(text);
    const last = (net.address | ~net.mask) >>> 0;
    if (address === undefined || !isIn(net, address) || address === net.address || address === last) {
      throw new OptionError(
        `${name} "${text}" is no address of ${formatAddress(net.address)}'s network: write one that is`,
      );
    }
    return address;
  };
  const addresses = { net, host: addressOf("host", 2), dns: addressOf("dns", 3), guest: addressOf("guest", 15) };
  if (new Set([addresses.host, addresses.dns, addresses.guest]).size < 3) {
    throw new OptionError("host, dns and guest have one address: give each its own");
  }
  return addresses;
}
