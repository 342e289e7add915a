// The NAT's settings: as an object for programs, as `--net user,hostfwd=tcp::2222-:22` for people.
import { OptionError } from "../../errors.ts";
import type { NetBackendKind, NetSettings } from "../net-backends.ts";
import { natAddresses } from "./address.ts";
import { parseForward } from "./forward.ts";
import type { NatParts } from "./nat.ts";
import { NatPolicy } from "./policy.ts";

export interface NatOptions {
  /** The guest reaches nothing but what `egress` allows, and what hostfwd leads to it. Default: it reaches everything. */
  restrict?: boolean;
  /**
   * Rules in order, "allow:RULE" or "deny:RULE"; the first that fits decides. A RULE is
   * [tcp:|udp:|icmp:]ADDRESS[/BITS][:PORT[-PORT]]; ADDRESS may be "host" (the host's loopback), "dns" or "all".
   */
  egress?: readonly string[];
  /** The guest's network. Default: 10.0.2.0/24. */
  net?: string;
  /** The gateway's address, which stands for the host's loopback. Default: 10.0.2.2. */
  host?: string;
  /** The DNS server's address, which stands for the host's resolver. Default: 10.0.2.3. */
  dns?: string;
  /** The address that the guest gets with DHCP; further ones get the ones after it. Default: 10.0.2.15. */
  dhcpstart?: string;
}

/** A NAT on a host that has ports to forward. */
export interface UserNetOptions extends NatOptions {
  /** Ports of the host that lead into the guest: "[tcp|udp]:[HOSTADDRESS]:HOSTPORT-[GUESTADDRESS]:GUESTPORT". */
  hostfwd?: readonly string[];
}

type Described = NetBackendKind["settings"];

/** The same by name. */
export const NAT_SETTINGS: Described = {
  restrict: { description: "on: the guest reaches nothing but what egress allows" },
  egress: { many: true, description: "allow:RULE or deny:RULE, RULE as [tcp:|udp:|icmp:]ADDRESS[/BITS][:PORT[-PORT]]" },
  net: { description: "the guest's network: 10.0.2.0/24" },
  host: { description: "the gateway's address, which stands for the host: 10.0.2.2" },
  dns: { description: "the DNS server's address, which stands for the host's: 10.0.2.3" },
  dhcpstart: { description: "the address that the guest gets: 10.0.2.15" },
};

export const USER_SETTINGS: Described = {
  ...NAT_SETTINGS,
  hostfwd: {
    many: true,
    description: "[tcp|udp]:[HOSTADDRESS]:HOSTPORT-[GUESTADDRESS]:GUESTPORT leads into the guest",
  },
};

export function onOrOff(setting: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === "on" || text === "off") return text === "on";
  throw new OptionError(`${setting} is "${text}": write on or off`);
}

/** Settings by name as an object. @throws OptionError for a value that cannot be. */
export function userOptions(settings: NetSettings): UserNetOptions {
  const one = (name: string) => settings[name]?.[0];
  return {
    restrict: onOrOff("restrict", one("restrict")),
    egress: settings.egress,
    net: one("net"),
    host: one("host"),
    dns: one("dns"),
    dhcpstart: one("dhcpstart"),
    hostfwd: settings.hostfwd,
  };
}

/** Checks options. @throws OptionError for one that cannot be. */
export function natParts(options: UserNetOptions): Pick<NatParts, "addresses" | "policy" | "forwards"> {
  const { net, host, dns, dhcpstart, egress = [], hostfwd = [], restrict = false } = options;
  const addresses = natAddresses({ net, host, dns, guest: dhcpstart });
  const rules = egress.map((text) => {
    const match = /^(allow|deny):(.*)$/.exec(text);
    if (match === null) throw new OptionError(`egress "${text}" is no rule: write allow:RULE or deny:RULE`);
    return { action: match[1] as "allow" | "deny", rule: match[2] };
  });
  return {
    addresses,
    policy: new NatPolicy(rules, restrict, addresses),
    forwards: hostfwd.map((text) => parseForward(text, addresses)),
  };
}
