// The same Debian guest through the same library, in headless Chromium: nothing that only
// Node has may have crept in. The bundle for browsers is tested as it is published.
import { client } from "@mercuryworkshop/wisp-js/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  checkGuest,
  createGuest,
  defaultCommandLine,
  type Guest,
  hardwareModel,
  OptionError,
  wispNet,
} from "../../dist/browser.js";
import { CONTENT, WEB_NAME, WISP_PATH } from "./web.ts";

const disk = new Uint8Array(4 * 1024 * 1024);
let console = "";
let guest: Guest;

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function file(name: string): Promise<Uint8Array> {
  const response = await fetch(`/guest/${name}`);
  if (!response.ok) throw new Error(`/guest/${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

beforeAll(async () => {
  const [kernel, initrd] = await Promise.all([file("kernel"), file("initrd")]);
  const url = `ws://${location.host}${WISP_PATH}`;
  const { ClientConnection } = client;
  guest = await createGuest({
    kernel,
    initrd,
    exec: true,
    memory: "256M",
    append: `${defaultCommandLine("virtio", true)} paravane.test=1`,
    disks: [{ bytes: disk, if: "nvme" }],
    nets: [{ backend: wispNet({ url, ClientConnection }) }],
    onConsole: (bytes) => {
      console += text(bytes);
    },
  });
});
afterAll(() => guest?.close());

it("refuses options that cannot work, like everywhere", async () => {
  await expect(createGuest({})).rejects.toThrow(OptionError);
});

it("tells what hardware the browser offers, and what a guest can drive of it", async () => {
  const { devices, host } = await hardwareModel();
  expect(devices.map(({ device }) => device)).toEqual(expect.arrayContaining(["virtio-blk", "nvme", "sbi-timer"]));
  expect(host).toMatchObject({ files: false, sockets: false, tap: false, wasmThreads: true });
  const [kernel, initrd] = await Promise.all([file("kernel"), file("initrd")]);
  const verdicts = await checkGuest({ kernel, initrd });
  const worksOf = (id: string) => verdicts.find(({ device }) => device === id)?.works;
  expect(["virtio-blk", "/dev/paravane", "sbi-sta"].map(worksOf)).toEqual([true, true, false]);
});

it("boots Debian's kernel, runs commands, reads and writes disks, and rests", async () => {
  const { status, stdout, stderr } = await guest.exec("uname -m; cat /proc/cmdline; echo err >&2; exit 3");
  expect(text(stdout)).toMatch(/^riscv64\n.*paravane\.test=1/);
  expect({ status, stderr: text(stderr) }).toEqual({ status: 3, stderr: "err\n" });
  expect(console).toContain("Linux version 6.");

  await guest.exec("echo from-the-guest | dd of=/dev/nvme0n1 bs=512 conv=sync,fsync");
  expect(text(disk.subarray(0, 14))).toBe("from-the-guest");

  // An idle guest runs next to nothing: far from what two seconds could hold. What a kernel
  // still has to do after its boot may fall into some of them.
  const quiet = async () => {
    const before = guest.instructions;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return guest.instructions - before;
  };
  await expect.poll(quiet, { timeout: 30_000, interval: 0 }).toBeLessThan(20_000_000);
  expect(guest.counters().some(({ name }) => name === "nvme")).toBe(true);
});

it("reaches the world through a Wisp server, which resolves names", async () => {
  const port = await (await fetch("/web-port")).text();
  const site = `http://${WEB_NAME}:${port}`;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", CONTENT));
  const sum = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const sh = async (command: string) => {
    const { status, stdout, stderr } = await guest.exec(command);
    expect({ status, stderr: text(stderr) }).toEqual({ status: 0, stderr: "" });
    return text(stdout);
  };
  expect(await sh(`wget -q -O /tmp/content ${site}/content && sha256sum </tmp/content`)).toContain(sum);
  expect(await sh(`wget -q -O - --post-file=/tmp/content ${site}/`)).toBe(sum);
  expect((await guest.exec(`wget -q -O - ${site}/none`)).status).toBe(1);
});

it("switches off", async () => {
  expect(await guest.powerOff()).toEqual({ reason: "power-off", status: 0 });
});
