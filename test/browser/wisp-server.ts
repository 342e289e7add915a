// What a page's guest can reach: a Wisp server beside the page, which is another program's
// (@mercuryworkshop/wisp-js), and a web server that this machine's own loopback has.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Plugin } from "vite";
import { CONTENT, WEB_NAME, WISP_PATH } from "./web.ts";

/** Serves /wisp/ to the page, and tells at /web-port where the web server is. */
export function wispServer(): Plugin {
  return {
    name: "paravane-wisp-server",
    async configureServer({ httpServer, middlewares }) {
      const wisp = await import("@mercuryworkshop/wisp-js/server");
      wisp.logging.set_level(wisp.logging.NONE);
      wisp.server.options.allow_loopback_ips = true;
      wisp.server.options.dns_method = async (name) => {
        if (name !== WEB_NAME) throw new Error(`nobody knows ${name}`);
        return "127.0.0.1";
      };
      httpServer?.on("upgrade", (request, socket, head) => {
        if (request.url === WISP_PATH) wisp.server.routeRequest(request, socket, head);
      });
      // GET /content has a body that is known; a POST is answered with the hash of what came.
      const web = createServer((request, response) => {
        if (request.method === "POST") {
          const hash = createHash("sha256");
          request.on("data", (bytes) => hash.update(bytes));
          request.on("end", () => response.end(hash.digest("hex")));
        } else if (request.url === "/content") response.end(CONTENT);
        else response.writeHead(404).end();
      });
      await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
      web.unref();
      middlewares.use("/web-port", (_request, response) => {
        response.end(String((web.address() as AddressInfo).port));
      });
    },
  };
}
