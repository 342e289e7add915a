// The API over HTTP, on a Unix socket, or on TCP with a token.
import { createHash, timingSafeEqual } from "node:crypto";
import { existsSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import packageJson from "../../../../package.json" with { type: "json" };
import { OptionError } from "../../../errors.ts";
import type { HypervisorOptions } from "../../../hypervisor/hypervisor.ts";
import { createHypervisor } from "../hypervisor.ts";
import { ServedGuests } from "./guests.ts";
import { metricsOf } from "./metrics.ts";
import { openApiDocument } from "./openapi.ts";
import { type Answer, GUEST_ROUTES, infoOf, type Route, statusOf } from "./routes.ts";
import { RequestError } from "./validate.ts";

/** The guest that the paths at the root are about. */
const DEFAULT_GUEST = "default";
const MOST_BODY = 0x20_0000;

export interface ServerOptions extends HypervisorOptions {
  /** Path of the Unix socket. */
  socket?: string;
  /** Host and port, in place of a socket. Needs a token. */
  tcp?: { host: string; port: number };
  /** What requests have to carry as "Authorization: Bearer TOKEN". */
  token?: string;
  /** Hears of everything, an object at a time. */
  log?(record: Record<string, unknown>): void;
}

export interface RunningServer {
  /** Where it listens: a path, or host:port. */
  readonly address: string;
  /** Ends all guests, then the server. */
  close(): Promise<void>;
}

type Log = (record: Record<string, unknown>) => void;

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Compares without telling how much of it was right. */
function isToken(given: string | undefined, token: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(`Bearer ${token}`));
}

async function parseBody(context: Context): Promise<unknown> {
  const text = await context.req.text();
  if (text === "") throw new RequestError(400, "the body is missing: send an object as JSON");
  try {
    return JSON.parse(text);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new RequestError(400, `the body is no JSON (${said}): send an object as JSON`);
  }
}

function respond(context: Context, answer: Answer): Response {
  if (answer === undefined) return context.body(null, 204);
  if (answer instanceof Uint8Array) {
    return context.body(answer as Uint8Array<ArrayBuffer>, 200, { "Content-Type": "application/octet-stream" });
  }
  return context.json(answer);
}

function addRoute(app: Hono, prefix: string, route: Route, guests: ServedGuests): void {
  const own = route.path === "/" && prefix !== "" ? "" : route.path;
  app.on(route.method, prefix + own.replace("{name}", ":name"), async (context) => {
    const takesBody = route.method !== "GET" && route.method !== "DELETE";
    const body = takesBody ? await parseBody(context) : undefined;
    const { id = DEFAULT_GUEST, name = "" } = context.req.param() as Record<string, string>;
    return respond(context, await route.serve({ guests, id, name, body }));
  });
}

function createApp(options: ServerOptions, log: Log) {
  const hypervisor = createHypervisor({ memory: options.memory, cores: options.cores });
  hypervisor.onEvent((event) => {
    if (event.type === "console") return;
    if (event.type === "refusal") {
      const { guest, refusal } = event;
      // JSON has no integers of 64 bits.
      log({ event: event.type, guest, refusal: { ...refusal, pc: `0x${refusal.pc.toString(16)}` } });
      return;
    }
    const { type, ...rest } = event;
    const error = "error" in rest && rest.error !== undefined ? rest.error.message : undefined;
    log({ event: type, ...rest, ...(error === undefined ? {} : { error }) });
  });
  const guests = new ServedGuests(hypervisor);
  const app = new Hono();

  app.onError((error, context) => {
    context.header("Connection", "close");
    return context.json({ fault_message: error.message }, statusOf(error) as 400);
  });
  app.notFound((context) =>
    context.json(
      { fault_message: `${context.req.method} ${context.req.path} is not known: see GET /openapi.json` },
      404,
    ),
  );
  app.use(async (context, next) => {
    const start = performance.now();
    await next();
    const milliseconds = Math.round((performance.now() - start) * 10) / 10;
    log({
      event: "request",
      method: context.req.method,
      path: context.req.path,
      status: context.res.status,
      milliseconds,
    });
  });
  app.use(async (context, next) => {
    if (options.token !== undefined && !isToken(context.req.header("Authorization"), options.token)) {
      throw new RequestError(401, "the token is missing or wrong: send Authorization: Bearer TOKEN");
    }
    await next();
  });
  app.use(
    bodyLimit({
      maxSize: MOST_BODY,
      onError: () => {
        throw new RequestError(413, `the body is longer than ${MOST_BODY} bytes`);
      },
    }),
  );

  app.get("/version", (context) => context.json({ paravane_version: packageJson.version }));
  app.get("/openapi.json", (context) => context.json(openApiDocument()));
  app.get("/metrics", async (context) => {
    const [type, text] = await metricsOf(hypervisor);
    return context.body(text, 200, { "Content-Type": type });
  });
  app.get("/guests", (context) => context.json(guests.list().map(infoOf)));
  app.delete("/guests/:id", async (context) => {
    await guests.remove(context.req.param("id"));
    return context.body(null, 204);
  });
  for (const route of GUEST_ROUTES) {
    addRoute(app, "", route, guests);
    addRoute(app, "/guests/:id", route, guests);
  }
  return { app, hypervisor };
}

/** Does somebody listen on this socket? */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A socket that a server left behind is in nobody's way. */
async function clearSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  if (await isServed(path))
    throw new OptionError(`${path} is served already: stop that server, or choose another path`);
  try {
    unlinkSync(path);
  } catch (cause) {
    throw new OptionError(`${path} is in the way and cannot be removed: choose another path`, { cause });
  }
}

function listen(server: Server, { socket, tcp }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const where = socket ?? `${tcp?.host}:${tcp?.port}`;
      const reason =
        code === "EADDRINUSE"
          ? "is in use"
          : code === "EACCES"
            ? "may not be used"
            : `cannot be listened on (${message})`;
      reject(new OptionError(`${where} ${reason}: choose another`));
    });
    server.once("listening", resolve);
    if (tcp === undefined) server.listen(socket);
    else server.listen(tcp.port, tcp.host);
  });
}

/**
 * Serves a hypervisor of its own.
 * @throws OptionError if it cannot listen there.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { socket, tcp, token } = options;
  if ((socket === undefined) === (tcp === undefined)) throw new OptionError("give a socket or a TCP port, one of them");
  if (tcp !== undefined && !token) {
    throw new OptionError("TCP needs a token: whoever reaches the port could do anything with the guests otherwise");
  }
  const log: Log = (record) => options.log?.({ time: new Date().toISOString(), ...record });
  if (socket !== undefined) await clearSocket(socket);
  const { app, hypervisor } = createApp(options, log);
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  try {
    await listen(server, options);
  } catch (error) {
    await hypervisor.close();
    throw error;
  }
  const bound = server.address();
  return {
    address: typeof bound === "object" && bound !== null ? `${tcp?.host}:${bound.port}` : (socket as string),
    async close() {
      await hypervisor.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
