// The host's end of --serial, with a guest that says and hears bytes without a machine behind it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSerial, type SerialEnd } from "../../src/cli/serial.ts";
import type { Guest } from "../../src/index.ts";

let folder: string;
let end: SerialEnd | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-serial-"));
});
afterEach(() => {
  end?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The guest's side of its port. */
class Port {
  heard = Buffer.alloc(0);
  waiting: (() => void)[] = [];
  isPaused = false;
  say: (bytes: Uint8Array) => void = () => {};

  get guest(): Guest {
    const port = {
      onData: (listener: (bytes: Uint8Array) => void) => {
        this.say = listener;
      },
      write: (bytes: Uint8Array, taken: () => void) => {
        this.heard = Buffer.concat([this.heard, bytes]);
        this.waiting.push(taken);
      },
    };
    const pause = (value: boolean) => () => {
      this.isPaused = value;
    };
    const self = this;
    return {
      port: () => port,
      pause: pause(true),
      resume: pause(false),
      get isPaused() {
        return self.isPaused;
      },
    } as unknown as Guest;
  }
}

async function opened(argument: { socket: string } | { file: string }): Promise<Port> {
  const port = new Port();
  end = await openSerial({ name: "talk", ...argument });
  end.connect(port.guest);
  return port;
}

const once = (socket: Socket, event: string) => new Promise((resolve) => socket.once(event, resolve));

async function until(reached: () => boolean): Promise<void> {
  for (let tries = 0; !reached(); tries++) {
    if (tries === 500) throw new Error("not reached");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a socket", () => {
  it("carries bytes both ways", async () => {
    const path = join(folder, "s");
    const port = await opened({ socket: path });
    port.say(new TextEncoder().encode("nobody hears this"));
    const client = connect(path);
    await once(client, "connect");
    client.write("hello");
    await until(() => port.heard.length === 5);
    port.say(new TextEncoder().encode("world"));
    expect(String(await once(client, "data"))).toBe("world");
    client.destroy();
  });

  it("has one client at a time, and takes the next", async () => {
    const path = join(folder, "s");
    const port = await opened({ socket: path });
    const first = connect(path);
    await once(first, "connect");
    first.write("1");
    await until(() => port.heard.length === 1);
    const second = connect(path);
    second.on("error", () => {});
    await once(second, "close");
    first.destroy();
    // The host may not have seen yet that the first has gone.
    for (let tries = 0; port.heard.length < 2; tries++) {
      if (tries === 100) throw new Error("nobody is let in");
      const next = connect(path);
      next.on("error", () => {});
      next.write("3");
      await Promise.race([once(next, "close"), new Promise((resolve) => setTimeout(resolve, 100))]);
      next.destroy();
    }
    expect(String(port.heard)).toBe("13");
  });

  it("lets a client wait whose bytes the guest does not take", async () => {
    const path = join(folder, "s");
    const port = await opened({ socket: path });
    const client = connect(path);
    await once(client, "connect");
    const much = Buffer.alloc(2 << 20, "x");
    client.write(much);
    await until(() => port.heard.length > 256 << 10);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(port.heard.length).toBeLessThan(512 << 10);
    const timer = setInterval(() => {
      for (const taken of port.waiting.splice(0)) taken();
    }, 1);
    await until(() => port.heard.length === much.length);
    clearInterval(timer);
    client.destroy();
  });

  it("stops the guest while its client does not read, and no longer", async () => {
    const path = join(folder, "s");
    const port = await opened({ socket: path });
    const client = connect(path);
    await once(client, "connect");
    client.pause();
    client.write("1");
    await until(() => port.heard.length === 1);
    while (!port.isPaused) port.say(Buffer.alloc(1 << 16));
    client.destroy();
    await until(() => !port.isPaused);
  });

  it("replaces a socket that was left, and no other", async () => {
    const path = join(folder, "s");
    await opened({ socket: path });
    await expect(openSerial({ name: "talk", socket: path })).rejects.toThrow(/is there already/);
  });
});

it("a file holds what the guest says", async () => {
  const path = join(folder, "log");
  const port = await opened({ file: path });
  port.say(new TextEncoder().encode("one "));
  port.say(new TextEncoder().encode("two"));
  expect(readFileSync(path, "latin1")).toBe("one two");
});
