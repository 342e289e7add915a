// Names without a resolver: where a transport takes names and resolves them itself, the
// guest's DNS server answers with an address that stands for the name (from 198.18.0.0/15,
// RFC 2544: nothing else is there), and a connection to it is one to the name.
import { decode, encode, type Packet } from "@dnsquery/dns-packet";
import { formatAddress } from "./address.ts";

const FIRST = 198 * 0x100_0000 + 18 * 0x1_0000;
const MOST = 4096;
/** Seconds that the guest may remember an answer: names are kept as long as there are no MOST others. */
const TTL = 30;
const LONGEST_QUERY = 512;
/** Flags: recursion was done; the opcode is not known here. */
const RECURSION_AVAILABLE = 1 << 7;
const NOT_IMPLEMENTED = 4;

export class Names {
  /** In the order of last use. */
  readonly #addresses = new Map<string, number>();
  readonly #names = new Map<number, string>();
  #next = 0;

  /** The name that an address stands for. */
  find(address: number): string | undefined {
    return this.#names.get(address);
  }

  /** The address that stands for a name, if one does. */
  findName(name: string): number | undefined {
    return this.#addresses.get(name);
  }

  /** Answers a query; undefined if it is none. */
  answer(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length > LONGEST_QUERY) return undefined;
    let query: Packet & { flag_qr?: boolean; opcode?: string };
    try {
      query = decode(bytes);
    } catch {
      return undefined;
    }
    const { questions = [], id } = query;
    if (query.flag_qr === true || questions.length !== 1) return undefined;
    const [{ name, type }] = questions;
    const flags = RECURSION_AVAILABLE | (query.opcode === "QUERY" ? 0 : NOT_IMPLEMENTED);
    const hasAddress = type === "A" && name !== "" && query.opcode === "QUERY";
    try {
      return encode({
        type: "response",
        id,
        flags,
        questions,
        // Other types exist for no name: an empty answer is a certain one.
        answers: hasAddress ? [{ type: "A", name, ttl: TTL, data: formatAddress(this.#addressOf(name)) }] : [],
      });
    } catch {
      return undefined;
    }
  }

  #addressOf(text: string): number {
    const name = text.toLowerCase();
    const known = this.#addresses.get(name);
    if (known !== undefined) {
      this.#addresses.delete(name);
      this.#addresses.set(name, known);
      return known;
    }
    let address = FIRST + 1 + this.#next;
    if (this.#next < MOST) this.#next++;
    else {
      const [oldest, free] = this.#addresses.entries().next().value as [string, number];
      this.#addresses.delete(oldest);
      address = free;
    }
    this.#addresses.set(name, address);
    this.#names.set(address, name);
    return address;
  }
}
