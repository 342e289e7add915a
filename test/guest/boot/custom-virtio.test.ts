// Virtio devices written against the library's own API, driven by Debian's unmodified drivers: a
// source of entropy that answers late, and a port of a console.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, defineDevice, type Guest } from "../../../src/index.ts";
import { run } from "./file-disks.ts";

const answers: (() => void)[] = [];
let isLate = false;
const answerAll = () => {
  for (const answer of answers.splice(0)) answer();
};

/** virtio 1.2, 5.4: every byte of room is to be filled. */
const entropy = defineDevice({
  name: "dice",
  form: "virtio",
  id: 4,
  state: () => ({ bytes: 0 }),
  queues: [
    {
      name: "requests",
      handle({ state }, request) {
        const answer = () => {
          state.bytes += request.roomLater;
          request.answer(new Uint8Array(request.roomLater).fill(0x34));
        };
        if (isLate) answers.push(answer);
        else answer();
      },
    },
  ],
});

const F_SIZE = 0;
let heard = "";

/** virtio 1.2, 5.3, with one port: what is said to it is heard here, and it is told its size. */
const terminal = defineDevice({
  name: "terminal",
  form: "virtio",
  id: 3,
  features: [F_SIZE],
  config: Uint8Array.from([81, 0, 26, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
  state: () => ({ lines: 0 }),
  queues: [
    { name: "receive" },
    {
      name: "transmit",
      handle({ state }, request) {
        const text = new TextDecoder().decode(request.bytes);
        heard += text;
        state.lines += text.split("\n").length - 1;
        request.answer();
      },
    },
  ],
});

let guest: Guest;
let tty: string;
beforeAll(async () => {
  guest = await createGuest({ guest: "debian", exec: true, memory: "256M", devices: [entropy, terminal] });
  await guest.ready();
}, 300_000);
afterAll(() => guest?.close());

const sh = async (command: string) => {
  const { status, output } = await run(guest, command);
  expect({ command, status, output }).toMatchObject({ status: 0 });
  return output;
};

describe("a virtio device of the caller's", { timeout: 120_000 }, () => {
  it("is driven by the driver for its identifier", async () => {
    // Of two sources of entropy, the driver's numbers do not say which is which; what was read ahead is the other's.
    const find = `cd /sys/class/misc/hw_random
      for name in $(cat rng_available); do
        echo $name >rng_current && head -c 256 /dev/hwrng >/dev/null
        [ "$(head -c 64 /dev/hwrng | tr -d 4 | wc -c)" = 0 ] && echo $name && break
      done`;
    expect(await sh(find)).toMatch(/^virtio_rng\.[01]\n$/);
    expect(await sh("head -c 256 /dev/hwrng | tr -d 4 | wc -c")).toBe("0\n");
    expect((guest.device("dice").state as { bytes: number }).bytes).toBeGreaterThanOrEqual(256);
  });

  it("may answer when it likes", async () => {
    isLate = true;
    const read = sh("head -c 128 /dev/hwrng | tr -d 4 | wc -c");
    const timer = setInterval(answerAll, 20);
    expect(await read).toBe("0\n");
    clearInterval(timer);
    isLate = false;
    answerAll();
  });

  it("gives what it has to say into the room that the driver left", async () => {
    // The machine has a console too, and which is the first is chance: ours is known by its size.
    const find = 'for tty in hvc0 hvc1; do [ "$(stty -F /dev/$tty size)" = "26 81" ] && echo $tty; done; true';
    tty = (await sh(find)).trim();
    expect(tty).toMatch(/^hvc[01]$/);
    const command = `exec 3<>/dev/${tty}; stty raw -echo <&3; echo ready >&3; head -n 1 <&3`;
    const read = sh(command);
    while (!heard.includes("ready\n")) await new Promise((resolve) => setTimeout(resolve, 5));
    const line = new TextEncoder().encode("hello from the host\n");
    expect(guest.device("terminal").send("receive", line)).toBe(line.length);
    expect(await read).toBe("hello from the host\n");
    expect(guest.device("terminal").state).toEqual({ lines: 1 });
  });

  it("changes its configuration while the driver looks", async () => {
    guest.device("terminal").configure(0, Uint8Array.from([132, 0, 43, 0]));
    expect(await sh(`stty -F /dev/${tty} size`)).toBe("43 132\n");
  });

  it("has no complaint from any driver", async () => {
    expect(await sh("dmesg -r | grep -E '^<[0-4]>' | grep -iE 'virtio|hvc|rng' || :")).toBe("");
  });

  it("refuses what its form does not have", () => {
    expect(() => guest.device("dice").interrupt(true)).toThrow(/has no wire/);
    expect(() => guest.device("dice").send("requests", new Uint8Array(1))).toThrow(/has no input queue requests/);
    expect(() => guest.device("terminal").configure(10, new Uint8Array(3))).toThrow(/has 12 bytes/);
  });
});
