// Budgets of devices in a booted Debian, in whatever form the guest has the device. On the virtual clock, so that what had to wait,
// and until when, is the same in every run.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NetOffload } from "../../../assembly/abi/net.ts";
import { createGuest, type Guest, memoryDisk, type NetBackend } from "../../../src/index.ts";
import { deviceOf, MIB, run } from "./file-disks.ts";

const BOOT = 300_000;
const KINDS = ["virtio", "nvme", "ahci"] as const;
const SIZES = { virtio: 4 * MIB, nvme: 5 * MIB, ahci: 6 * MIB };
/** 40 requests at once, then 40 a second. */
const OPERATIONS = { size: 40, refill_time: 1000 };

/** A wire that counts frames. */
function counter(name: string): NetBackend & { frames: number } {
  return {
    name,
    accepts: NetOffload.NONE,
    dhcp: false,
    frames: 0,
    open() {},
    send() {
      this.frames++;
    },
    ready() {},
    close() {},
  };
}

const nets = [counter("paravirtual"), counter("emulated")];
let guest: Guest;

beforeAll(async () => {
  guest = await createGuest({
    guest: "debian",
    exec: true,
    clock: "virtual",
    disks: KINDS.map((kind) => ({ if: kind, backend: memoryDisk(new Uint8Array(SIZES[kind]), { name: kind }) })),
    nets: nets.map((backend, n) => ({ backend, model: n === 0 ? "virtio" : "e1000", address: `10.0.${n}.1/24` })),
    policy: {
      devices: Object.fromEntries(
        KINDS.map((_, n) => [`disk${n}`, { operations: OPERATIONS, over: "delay" as const }]),
      ),
      egress: { operations: { size: 10, refill_time: 1000 } },
    },
  });
  await guest.ready();
}, BOOT);

afterAll(() => guest?.close());

const delayed = (name: string) => guest.budgets().find((it) => it.name === name)?.delayed ?? 0;

describe.each(KINDS)("a disk on %s", { timeout: 240_000 }, (kind) => {
  it("takes no more requests than its budget has, and loses none", async () => {
    const device = await deviceOf(guest, SIZES[kind]);
    await run(guest, `dd if=${device} of=/dev/null bs=4k count=80 iflag=direct`); // whatever was saved up is gone
    const before = guest.seconds;
    const disk = `device disk${KINDS.indexOf(kind)}`;
    const waits = delayed(disk);
    const { status } = await run(guest, `dd if=${device} of=/dev/null bs=4k skip=100 count=120 iflag=direct`);
    expect(status).toBe(0);
    expect(guest.seconds - before).toBeGreaterThan((120 - 41) / 40);
    expect(delayed(disk)).toBeGreaterThan(waits);
  });
});

it("frames from both forms share what may go out", { timeout: 240_000 }, async () => {
  // Broadcasts need nobody who answers.
  const flood = (n: number) => `for i in $(seq 25); do ping -c 1 -W 1 10.0.${n}.255 >/dev/null & done; wait`;
  const names = (await run(guest, "ls /sys/class/net")).output;
  expect(names).toContain("eth1");
  await run(guest, `(${flood(0)}) & (${flood(1)}) & wait`);
  const [before, seconds] = [nets[0].frames + nets[1].frames, guest.seconds];
  await run(guest, `(${flood(0)}) & (${flood(1)}) & wait`);
  const sent = nets[0].frames + nets[1].frames - before;
  expect(nets[0].frames).toBeGreaterThan(0);
  expect(nets[1].frames).toBeGreaterThan(0);
  expect(sent).toBeLessThanOrEqual(20 + Math.ceil((guest.seconds - seconds) * 10) + 2);
  expect(delayed("egress")).toBeGreaterThan(0);
});
