// What tests use of the library, which has no types.
declare module "@mercuryworkshop/wisp-js/client" {
  export const client: { ClientConnection: new (url: string) => unknown };
}
declare module "@mercuryworkshop/wisp-js/server" {
  import type { IncomingMessage } from "node:http";
  import type { Duplex } from "node:stream";
  export const server: {
    options: {
      allow_loopback_ips: boolean;
      allow_private_ips: boolean;
      /** Gives the address of a name. */
      dns_method: "lookup" | "resolve" | ((name: string) => Promise<string>);
    };
    routeRequest(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  };
  export const logging: { NONE: number; set_level(level: number): void };
}
