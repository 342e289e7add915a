// Budgets of devices in a booted Debian, in whatever form the guest has the device. On the virtual clock, so that what had to wait,
// and until when, is the same in every run.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NetOffload } from "../../../assembly/abi/net.ts";
import {
  createGuest,
  type Guest,
  memoryDisk,
  type NetBackend,
  type NetFrame,
  type NetGuest,
} from "../../../src/index.ts";
import { deviceOf, MIB, run } from "./file-disks.ts";

const BOOT = 300_000;
const KINDS = ["virtio", "nvme", "ahci"] as const;
const SIZES = { virtio: 4 * MIB, nvme: 5 * MIB, ahci: 6 * MIB };
/** 40 requests at once, then 40 a second. */
const OPERATIONS = { size: 40, refill_time: 1000 };

/** A wire that counts frames, and has some for the guest. */
class Wire implements NetBackend {
  readonly accepts = NetOffload.NONE;
  readonly dhcp = false;
  frames = 0;
  readonly queue: NetFrame[] = [];
  #guest: NetGuest | undefined;

  constructor(readonly name: string) {}

  open(guest: NetGuest) {
    this.#guest = guest;
  }

  send() {
    this.frames++;
  }

  ready() {
    while (this.queue.length > 0 && this.#guest?.deliver(this.queue[0])) this.queue.shift();
  }

  /** Broadcasts of a protocol that nobody has. */
  broadcast(count: number) {
    const frame = new Uint8Array(60).fill(0xff, 0, 6);
    frame.set([0x52, 0x54, 0, 0, 0, 1, 0x88, 0xb5], 6);
    for (let n = 0; n < count; n++) this.queue.push({ parts: [frame], length: frame.length });
    this.ready();
  }

  close() {}
}

const nets = [new Wire("paravirtual"), new Wire("emulated")];
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

describe.each([0, 1])("frames to net%d", { timeout: 240_000 }, (net) => {
  const name = `net${net}`;
  // The kernel names devices in the order in which it finds them.
  const counter = `/sys/class/net/$(ip -o addr | sed -n "s/.*: \\(eth[0-9]\\) .*10\\.0\\.${net}\\.1.*/\\1/p")/statistics/rx_packets`;
  const received = async () => Number((await run(guest, `cat ${counter}`)).output);

  it("come no faster than the budget that it is given while it runs, and none is lost", async () => {
    const before = await received();
    expect(before).toBeGreaterThanOrEqual(0);
    guest.changeBudget(name, { receive: { operations: { size: 5, refill_time: 1000 } } });
    nets[net].broadcast(30);
    expect(nets[net].queue).toHaveLength(25);
    const seconds = guest.seconds;
    await run(guest, `for i in $(seq 200); do [ $(cat ${counter}) -ge ${before + 30} ] && break; sleep 0.1; done`);
    expect(nets[net].queue).toHaveLength(0);
    expect(await received()).toBe(before + 30);
    expect(guest.seconds - seconds).toBeGreaterThan(25 / 5 - 1);
    expect(guest.seconds - seconds).toBeLessThan(25 / 5 + 3);
    expect(delayed(`device ${name} receive`)).toBeGreaterThan(0);
  });

  it("come at once when it has none any more", async () => {
    const before = await received();
    guest.changeBudget(name, { receive: { operations: null } });
    nets[net].broadcast(30);
    expect(nets[net].queue).toHaveLength(0);
    expect(await received()).toBe(before + 30);
  });
});

it("a disk's budget can be changed, and taken away, while it runs", { timeout: 240_000 }, async () => {
  const device = await deviceOf(guest, SIZES.nvme);
  const read = async (count: number) => {
    const before = guest.seconds;
    expect((await run(guest, `dd if=${device} of=/dev/null bs=4k count=${count} iflag=direct`)).status).toBe(0);
    return guest.seconds - before;
  };
  guest.changeBudget("disk1", { operations: { size: 10, refill_time: 1000 } });
  await read(30);
  expect(await read(50)).toBeGreaterThan((50 - 21) / 10);
  guest.changeBudget("disk1", { operations: null });
  expect(await read(300)).toBeLessThan(2);
  expect(() => guest.changeBudget("disk3", { operations: null })).toThrow(
    "the guest has no disk3: count devices from 0",
  );
  expect(() => guest.changeBudget("disk1", { receive: {} })).toThrow("network devices receive: leave it out");
  expect(() => guest.changeBudget("floppy", {})).toThrow("write disk0 to disk47, net0 to net7, or console");
});
