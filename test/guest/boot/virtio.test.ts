// Every form of virtqueue under Debian's own drivers: split and packed rings, both
// transports, several queues, notification data, indirect descriptors; and a disk that
// changes its size while it is in use.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, type DiskOptions, type Guest, memoryDisk } from "../../../src/index.ts";
import { deviceOf, expectFio, fioWrites, MIB, run } from "./file-disks.ts";

/** Feature bits as /sys shows them: a character a bit. */
const FEATURE = { INDIRECT: 28, EVENT_IDX: 29, PACKED: 34, NOTIFICATION_DATA: 38, MQ: 12 } as const;

/** Sizes tell the disks apart. */
const FORMS: { name: string; mib: number; disk: DiskOptions; packed: boolean }[] = [
  { name: "mmio", mib: 4, disk: { transport: "mmio", ring: "split", notificationData: true }, packed: false },
  { name: "pci", mib: 5, disk: { transport: "pci", ring: "split", indirect: true }, packed: false },
  { name: "mmio, packed", mib: 6, disk: { transport: "mmio", indirect: true }, packed: true },
  { name: "pci, packed", mib: 7, disk: { transport: "pci", notificationData: true }, packed: true },
];

let guest: Guest;

beforeAll(async () => {
  const disks = FORMS.map(({ mib, disk }) => ({ ...disk, backend: memoryDisk(mib * MIB) }));
  guest = await createGuest({ guest: "debian", exec: true, tools: true, harts: 2, ring: "packed", disks });
  await guest.ready();
}, 300_000);

afterAll(() => guest?.close());

const output = async (command: string): Promise<string> => {
  const { status, output } = await run(guest, command);
  expect({ command, status }).toEqual({ command, status: 0 });
  return output;
};

async function features(device: string): Promise<string> {
  return (await output(`cat /sys/class/block/${device.slice(5)}/device/features`)).trim();
}

describe.each(FORMS)("virtio-blk over $name", { timeout: 120_000 }, ({ mib, disk, packed }) => {
  it("is what the driver agreed to, and holds what fio wrote", async () => {
    const device = await deviceOf(guest, mib * MIB);
    const agreed = await features(device);
    const has = (bit: number) => agreed[bit] === "1";
    expect(has(FEATURE.PACKED)).toBe(packed);
    expect(has(FEATURE.EVENT_IDX)).toBe(true);
    expect(has(FEATURE.MQ)).toBe(true);
    expect(has(FEATURE.INDIRECT)).toBe(disk.indirect ?? false);
    expect(has(FEATURE.NOTIFICATION_DATA)).toBe(disk.notificationData ?? false);
    const bus = await output(`readlink -f /sys/class/block/${device.slice(5)}/device`);
    expect(bus).toMatch(disk.transport === "pci" ? /pci0000:00/ : /virtio_mmio/);
    // A queue a hart, each driven by its own.
    expect((await output(`ls /sys/class/block/${device.slice(5)}/mq`)).split("\n").filter(Boolean)).toEqual(["0", "1"]);
    await expectFio(guest, `taskset -c 1 ${fioWrites(device, "--size=512k")}`);
    const sum = await output(`taskset -c 1 sha256sum <${device}`);
    await output("echo 3 >/proc/sys/vm/drop_caches");
    expect(await output(`taskset -c 0 sha256sum <${device}`)).toBe(sum);
  });
});

it("drives the console and the entropy source on packed rings too", async () => {
  const lines = await output(
    "for d in /sys/bus/virtio/devices/*; do echo $(cat $d/device) $(cut -c 35 $d/features); done",
  );
  const console = lines.split("\n").find((line) => line.startsWith("0x0003"));
  const rng = lines.split("\n").find((line) => line.startsWith("0x0004"));
  expect([console, rng]).toEqual(["0x0003 1", "0x0004 1"]);
  expect((await output("head -c 16 /dev/hwrng | wc -c")).trim()).toBe("16");
});

it.each([0, 1])("sees disk %d grow and shrink while it is in use", async (number) => {
  const before = FORMS[number].mib * MIB;
  const device = await deviceOf(guest, before);
  const size = async () => Number(await output(`blockdev --getsize64 ${device}`));
  const until = async (bytes: number) => {
    for (let i = 0; i < 50 && (await size()) !== bytes; i++) await output("sleep 0.1");
    expect(await size()).toBe(bytes);
  };
  await output(`printf kept | dd of=${device} conv=fsync 2>/dev/null`);
  guest.resizeDisk(number, before + 16 * MIB);
  await until(before + 16 * MIB);
  await output(`printf new | dd of=${device} bs=1M seek=15 conv=fsync 2>/dev/null`);
  expect(await output(`dd if=${device} bs=4 count=1 2>/dev/null`)).toBe("kept");
  guest.resizeDisk(number, before);
  await until(before);
  expect((await run(guest, `dd if=${device} of=/dev/null bs=1M skip=15 count=1 iflag=direct`)).output).toContain(
    "0+0 records",
  );
});

it("refuses sizes and disks that cannot be", () => {
  expect(() => guest.resizeDisk(99, MIB)).toThrow(/no disk 99/);
  expect(() => guest.resizeDisk(0, 1000)).toThrow(/multiple of 512/);
});

it("leaves no warning in the kernel's log", async () => {
  const { output } = await run(guest, "dmesg -r | grep '^<[0-4]>' | grep -i virtio");
  expect(output).toBe("");
});
