// --net NAME[,model=virtio|e1000|e1000e][,mac=...][,queues=N][,mtu=N][,transport=pci|mmio][,address=A/N][,pcap=FILE]
// and the settings of backend NAME. A file's name may hold no comma.

import { OptionError } from "../errors.ts";
import { checkAddress, MOST_QUEUES, NET_MODELS, NET_TRANSPORTS, parseMac } from "../guest/net-options.ts";
import { NET_BACKENDS } from "../platform/node/net-backends.ts";
import type { NodeNetOptions } from "../platform/node/options.ts";
import { parseSettings, takeChoice, takeNumber, takeOne } from "./settings.ts";

const WHAT = "--net";
/** Settings of the device, whatever is behind it. */
const DEVICE_SETTINGS = ["model", "transport", "mac", "mtu", "queues", "address", "pcap"];

export function parseNet(text: string): NodeNetOptions {
  const from = parseSettings(text, WHAT);
  const { name } = from;
  const kind = Object.hasOwn(NET_BACKENDS, name) ? NET_BACKENDS[name] : undefined;
  if (kind === undefined) {
    throw new OptionError(`network "${name}" is not known: write ${Object.keys(NET_BACKENDS).join(" or ")}`);
  }
  const mac = takeOne(from, "mac", WHAT);
  if (mac !== undefined) parseMac(mac);
  const address = takeOne(from, "address", WHAT);
  if (address !== undefined) checkAddress(address);
  const queues = takeNumber(from, "queues", WHAT);
  if (queues !== undefined && (queues < 1 || queues > MOST_QUEUES)) {
    throw new OptionError(`${WHAT} ${name}: queues is ${queues}: write a number from 1 to ${MOST_QUEUES}`);
  }
  const options: NodeNetOptions = {
    backend: name,
    model: takeChoice(from, "model", WHAT, NET_MODELS),
    transport: takeChoice(from, "transport", WHAT, NET_TRANSPORTS),
    mac,
    mtu: takeNumber(from, "mtu", WHAT),
    queues,
    address,
    pcap: takeOne(from, "pcap", WHAT),
  };
  for (const [key, values] of from.settings) {
    const own = Object.hasOwn(kind.settings, key) ? kind.settings[key] : undefined;
    if (own === undefined) {
      const known = [...Object.keys(kind.settings), ...DEVICE_SETTINGS];
      throw new OptionError(`${WHAT} ${name}: setting "${key}" is not known: write ${known.join(", ")}`);
    }
    if (values.length > 1 && !own.many) {
      throw new OptionError(`${WHAT} ${name}: ${key} is given ${values.length} times: give it once`);
    }
  }
  if (from.settings.size > 0) options.settings = Object.fromEntries(from.settings);
  return options;
}
