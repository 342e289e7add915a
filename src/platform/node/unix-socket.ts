// Unix sockets that a guest listens on for programs of the host.
import { rmSync } from "node:fs";
import { connect as connectTo, createServer, type Server } from "node:net";
import { OptionError } from "../../errors.ts";

/** A Unix socket's path has 107 bytes at most; "_" and a port of ten digits go behind that of sockets with ports. */
const PATH_MAX = 107 - 11;

function tryToListen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true });
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      server.on("error", () => {});
      resolve(server);
    });
  });
}

/** A socket that nobody listens on was left by a process that is gone. */
function isDeserted(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTo(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

/**
 * Listens on the Unix socket `path`; one that a process left behind is replaced. `what` names the option in messages.
 * @throws OptionError if the socket cannot be made.
 */
export async function listenOn(what: string, path: string): Promise<Server> {
  if (path === "" || Buffer.byteLength(path) > PATH_MAX) {
    throw new OptionError(`${what} "${path}": a path of 1 to ${PATH_MAX} bytes is needed: write another`);
  }
  try {
    return await tryToListen(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== "EADDRINUSE") throw new OptionError(`${what} ${path} cannot be made: ${message}`, { cause });
    if (!(await isDeserted(path))) {
      throw new OptionError(`${what} ${path} is there already: another guest may use it; name another path`, { cause });
    }
    rmSync(path);
    return tryToListen(path);
  }
}
