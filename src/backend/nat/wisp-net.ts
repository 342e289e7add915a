// `wisp`: the NAT behind a Wisp server, for pages.
import { Nat } from "./nat.ts";
import { type NatOptions, natParts } from "./options.ts";
import { type WispConnection, type WispHost, wispTransport } from "./wisp-transport.ts";

export interface WispNetOptions extends NatOptions {
  /** The server: "wss://host/path/", with a slash at the end. */
  url: string;
  /** The library's class: `client.ClientConnection` of "@mercuryworkshop/wisp-js/client". */
  ClientConnection: new (
    url: string,
  ) => unknown;
}

/** Makes it on a host of which the transport needs a little. */
export function wispNetOn(host: WispHost, options: WispNetOptions): Nat {
  const { url, ClientConnection, ...rest } = options;
  const parts = natParts(rest);
  const connection = new ClientConnection(url) as WispConnection;
  return new Nat({ name: `wisp ${url}`, ...parts, transport: wispTransport(url, connection, host) });
}
