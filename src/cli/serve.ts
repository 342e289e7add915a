// paravane serve: the hypervisor over HTTP, until a signal ends it.
import { readFileSync } from "node:fs";
import { parseSize } from "../machine/memory-size.ts";
import { startServer } from "../platform/node/serve/server.ts";
import { onSignal } from "./signals.ts";
import { Ending, Status } from "./status.ts";

export interface ServeArguments {
  socket?: string;
  listen?: { host: string; port: number };
  tokenFile?: string;
  memory?: string;
  cores?: number;
}

/** "HOST:PORT", or a port on the loopback. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(\[[0-9a-fA-F:]+\]|[^:]+):)?([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) throw new Error(`"${text}" cannot be: write HOST:PORT, or a port`);
  return { host: (match[1] ?? "127.0.0.1").replace(/^\[|\]$/g, ""), port };
}

function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return process.env.PARAVANE_TOKEN;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Ending(Status.USAGE, `the token cannot be read (${said}): give the path of a file that holds it`);
  }
}

/** Logs go to stderr, an object a line; the address, when it listens, to stdout. */
export async function serve({ socket, listen, tokenFile, memory, cores }: ServeArguments): Promise<void> {
  if (socket !== undefined && listen !== undefined) {
    throw new Ending(Status.USAGE, "--socket and --listen exclude each other: give one of them");
  }
  if (socket === undefined && listen === undefined) {
    throw new Ending(Status.USAGE, "say where: --socket PATH, or --listen HOST:PORT with a token");
  }
  const token = readToken(tokenFile);
  if (listen !== undefined && !token) {
    throw new Ending(Status.USAGE, "--listen needs a token: give --token-file FILE, or PARAVANE_TOKEN");
  }
  const server = await startServer({
    socket,
    tcp: listen,
    token: listen === undefined ? undefined : token,
    memory: memory === undefined ? undefined : parseSize(memory, "memory"),
    cores,
    log: (record) => process.stderr.write(`${JSON.stringify(record)}\n`),
  });
  process.stdout.write(`paravane: listening on ${server.address}\n`);
  const status = await new Promise<number>((resolve) => {
    const stop = onSignal((given) => {
      stop();
      resolve(given);
    });
  });
  await server.close();
  // It was told to end, and did: for a server that is success.
  throw new Ending(status === Status.TERMINATED || status === Status.INTERRUPTED ? Status.OK : status);
}
