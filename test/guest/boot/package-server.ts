// A package server on this machine's loopback: Debian's own packages for riscv64 behind a real
// HTTP server, as an archive without folders (sources.list(5)).
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { defaultCacheDir } from "../../../src/platform/node/debian/cache.ts";
import { cachedBuild } from "../../../src/platform/node/debian/cached-build.ts";

const RELEASE = "trixie";

function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Files of `name` and of all that it depends on, by name of the package; from the cache after the first time. */
export async function packageFiles(name: string): Promise<Map<string, string>> {
  const { folder, record } = await cachedBuild(
    {
      name: `packages for ${name}`,
      folder: join(defaultCacheDir(), "debian", `${RELEASE}-package-${name}`),
      release: RELEASE,
      recipe: sha256(`1 ${name}`).slice(0, 16),
      space: 200,
      async make({ packages, out }) {
        await packages.download([name], out);
        return "";
      },
    },
    { refresh: false, progress: () => undefined },
  );
  return new Map(Object.keys(record.packages).map((it) => [it, join(folder, `${it}.deb`)]));
}

export class PackageServer {
  /** Paths that were asked for, and found. */
  readonly served: string[] = [];
  readonly #files = new Map<string, Uint8Array>();
  readonly #server: Server;

  private constructor(debs: readonly string[]) {
    let list = "";
    for (const [number, deb] of debs.entries()) {
      const bytes = readFileSync(deb);
      const file = `pool/${number}.deb`;
      this.#files.set(`/${file}`, bytes);
      const control = execFileSync("dpkg-deb", ["--field", deb], { encoding: "utf8" });
      list += `${control}Filename: ./${file}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n\n`;
    }
    const release = [
      `Date: ${new Date().toUTCString()}`,
      `Suite: ${RELEASE}`,
      "SHA256:",
      ` ${sha256(list)} ${Buffer.byteLength(list)} Packages`,
    ];
    this.#files.set("/Packages", Buffer.from(list));
    this.#files.set("/Release", Buffer.from(`${release.join("\n")}\n`));
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://localhost").pathname.replace("/./", "/");
      const bytes = this.#files.get(path);
      if (bytes === undefined) {
        response.writeHead(404).end();
        return;
      }
      this.served.push(path);
      response.end(bytes);
    });
  }

  static async start(debs: readonly string[]): Promise<PackageServer> {
    const server = new PackageServer(debs);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
