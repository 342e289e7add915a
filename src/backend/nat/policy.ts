// What the guest may reach: rules in order, the first that fits decides. Addresses are those
// that the guest uses, so the host's loopback is "host", its resolver "dns".
//
//   [tcp:|udp:|icmp:]WHERE[:PORT|:FIRST-LAST]     WHERE is a prefix, an address, "host", "dns" or "all"
import { OptionError } from "../../errors.ts";
import { isIn, type NatAddresses, type Prefix, parsePort, parsePrefix } from "./address.ts";

export type NatProtocol = "tcp" | "udp" | "icmp";

/** One rule as options say it. */
export interface NatRuleText {
  action: "allow" | "deny";
  rule: string;
}

interface Rule {
  allows: boolean;
  protocol: NatProtocol | undefined;
  where: Prefix;
  first: number;
  last: number;
}

const ALL: Prefix = { address: 0, mask: 0 };
const FORM = "a rule is [tcp:|udp:|icmp:]ADDRESS[/BITS][:PORT[-PORT]], ADDRESS may be host, dns or all";

function parseWhere(text: string, addresses: NatAddresses): Prefix | undefined {
  if (text === "all") return ALL;
  if (text === "host") return { address: addresses.host, mask: 0xffff_ffff };
  if (text === "dns") return { address: addresses.dns, mask: 0xffff_ffff };
  return parsePrefix(text);
}

function parseRule({ action, rule }: NatRuleText, addresses: NatAddresses): Rule {
  const fail = (what: string) => new OptionError(`egress "${action}:${rule}": ${what}: ${FORM}`);
  const parts = rule.split(":");
  let protocol: NatProtocol | undefined;
  if (parts[0] === "tcp" || parts[0] === "udp" || parts[0] === "icmp") protocol = parts.shift() as NatProtocol;
  const [where = "", ports, more] = parts;
  if (more !== undefined) throw fail("there is too much of it");
  const prefix = parseWhere(where, addresses);
  if (prefix === undefined) throw fail(`"${where}" is no address`);
  if (ports === undefined) return { allows: action === "allow", protocol, where: prefix, first: 0, last: 65535 };
  if (protocol === "icmp") throw fail("ICMP has no ports");
  const [first, last = first, others] = ports.split("-");
  const from = parsePort(first);
  const to = parsePort(last);
  if (from === undefined || to === undefined || others !== undefined || from > to) throw fail(`"${ports}" is no port`);
  return { allows: action === "allow", protocol, where: prefix, first: from, last: to };
}

export class NatPolicy {
  readonly #rules: readonly Rule[];
  /** What no rule fits is denied. */
  readonly restrict: boolean;

  /** @throws OptionError for a rule that is none, or can have no effect. */
  constructor(rules: readonly NatRuleText[], restrict: boolean, addresses: NatAddresses) {
    this.#rules = rules.map((rule) => parseRule(rule, addresses));
    this.restrict = restrict;
    const has = (allows: boolean) => this.#rules.some((rule) => rule.allows === allows);
    if (!restrict && has(true) && !has(false)) {
      throw new OptionError(
        "egress=allow alone changes nothing, since all is allowed: add restrict=on, or a deny rule",
      );
    }
    if (restrict && has(false) && !has(true)) {
      throw new OptionError("restrict=on denies everything: leave egress=deny out, or add a rule that allows");
    }
  }

  /** May the guest send this? ICMP has port 0. */
  allows(protocol: NatProtocol, address: number, port: number): boolean {
    for (const rule of this.#rules) {
      if (rule.protocol !== undefined && rule.protocol !== protocol) continue;
      // A rule that names ports speaks of nothing that has none.
      if (protocol === "icmp" ? rule.first !== 0 : port < rule.first || port > rule.last) continue;
      if (isIn(rule.where, address)) return rule.allows;
    }
    return !this.restrict;
  }
}
