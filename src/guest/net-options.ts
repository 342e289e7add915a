// A network device as options say it, and as the machine attaches it.
import { parsePrefix } from "../backend/nat/address.ts";
import type { NetBackend } from "../backend/net.ts";
import { createNetBackend, type NetSettings } from "../backend/net-backends.ts";
import { captured, type PcapSink } from "../backend/pcap.ts";
import { OptionError } from "../errors.ts";
import type { AddressWay } from "../image/network-script.ts";
import type { Platform } from "./platform.ts";

/** The device in front of a network: a virtio device (paravirtual, the default), or hardware that Intel made. */
export const NET_MODELS = ["virtio", "e1000", "e1000e"] as const;
export type NetModel = (typeof NET_MODELS)[number];

export const NET_TRANSPORTS = ["pci", "mmio"] as const;
export type NetTransport = (typeof NET_TRANSPORTS)[number];

/** One network device. */
export interface NetOptions {
  /** What it is connected to: a backend, such as a port of createSwitch(), or the name of one that this host has. */
  backend: NetBackend | string;
  /** Settings of a backend given by name, each with the values it has. */
  settings?: NetSettings;
  /** Default: virtio. */
  model?: NetModel;
  /** How a virtio device is reached. Default: pci. */
  transport?: NetTransport;
  /** MAC address, "52:54:00:12:34:56". Default: that one for the first device, and one more for each further. */
  mac?: string;
  /** Largest packet in bytes, 68 to 65535. Default: 1500. */
  mtu?: number;
  /** Pairs of queues of a virtio device, 1 to 8. Default: as many as harts, at most 8. */
  queues?: number;
  /** "10.0.0.1/24": the Debian guest gives its device this address, instead of asking with DHCP. */
  address?: string;
  /** Gets all frames as a capture in the pcap format. */
  pcap?: PcapSink;
}

/** A device as the machine attaches it. */
export interface AttachedNet {
  backend: NetBackend;
  model: NetModel;
  transport: NetTransport;
  mac: number[];
  mtu: number;
  queues: number;
}

const FIRST_MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
const MTU = { least: 68, default: 1500, most: 65535 };
export const MOST_QUEUES = 8;

/** The bytes of a MAC address. @throws OptionError unless it is one that a device can have. */
export function parseMac(text: string): number[] {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) {
    throw new OptionError(`"${text}" is no MAC address: write six pairs of digits, such as 52:54:00:12:34:56`);
  }
  const bytes = text.split(/[:-]/).map((pair) => Number.parseInt(pair, 16));
  if ((bytes[0] & 1) !== 0) throw new OptionError(`MAC address ${text} is a group's: make its first byte even`);
  if (bytes.every((byte) => byte === 0)) throw new OptionError(`MAC address ${text} is no device's: write another`);
  return bytes;
}

function defaultMac(number: number): number[] {
  return [...FIRST_MAC.slice(0, 5), (FIRST_MAC[5] + number) & 0xff];
}

/** The MAC address of the guest's device `number`. */
export function macOf({ mac }: NetOptions, number: number): number[] {
  return mac === undefined ? defaultMac(number) : parseMac(mac);
}

function oneOf<T extends string>(what: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  throw new OptionError(`${what} "${value}" is not known: write ${choices.join(" or ")}`);
}

function whole(what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new OptionError(`${what} ${value} cannot be: write a whole number from ${least} to ${most}`);
}

/** "10.0.0.1/24", checked. */
export function checkAddress(text: string): string {
  if (!text.includes("/") || parsePrefix(text) === undefined) {
    throw new OptionError(`"${text}" is no address with the length of its prefix: write one such as 10.0.0.1/24`);
  }
  return text;
}

/** How the guest's device is to get its address. */
export function addressWay({ address, backend }: NetOptions, { netBackends }: Platform): AddressWay {
  if (address !== undefined) return checkAddress(address);
  const { dhcp } = typeof backend === "string" ? (netBackends[backend] ?? {}) : backend;
  return dhcp === false ? "none" : "dhcp";
}

/** Makes a device of its options. `number` counts the guest's devices; `platform` knows what names of backends mean. */
export function openNet(options: NetOptions, number: number, harts: number, platform: Platform): AttachedNet {
  const model = oneOf("network model", options.model ?? "virtio", NET_MODELS);
  const transport = oneOf("transport", options.transport ?? "pci", NET_TRANSPORTS);
  if (transport !== "pci" && model !== "virtio") {
    throw new OptionError(`a network device ${model} is a PCI device: leave transport=${transport} out`);
  }
  if (options.queues !== undefined && model !== "virtio") {
    throw new OptionError(`a network device ${model} has the queues that it has: leave queues out`);
  }
  const attached = {
    model,
    transport,
    mac: macOf(options, number),
    mtu: whole("MTU", options.mtu ?? MTU.default, MTU.least, MTU.most),
    queues: whole("queues", options.queues ?? Math.min(harts, MOST_QUEUES), 1, MOST_QUEUES),
  };
  const { backend } = options;
  if (typeof backend !== "string" && options.settings !== undefined) {
    throw new OptionError("settings are for a backend that is given by name: leave them out");
  }
  const opened =
    typeof backend === "string" ? createNetBackend(platform.netBackends, backend, options.settings ?? {}) : backend;
  if (options.pcap === undefined) return { ...attached, backend: opened };
  const start = Date.now() - platform.now();
  return { ...attached, backend: captured(opened, options.pcap, () => start + platform.now()) };
}
