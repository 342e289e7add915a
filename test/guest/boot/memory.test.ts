// Persistent memory and the balloon, driven by Debian's own drivers.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, type Guest, type MemoryUsage } from "../../../src/index.ts";
import { DiskFolder, MIB, run } from "./file-disks.ts";

const BOOT = 300_000;
const SIZE = 16 * MIB;

const folder = new DiskFolder();
const notices: string[] = [];
let guest: Guest;

beforeAll(async () => {
  guest = await createGuest({
    guest: "debian",
    exec: true,
    balloon: true,
    memory: "256M",
    pmem: [
      { path: folder.create("pmem.img", SIZE) },
      { path: folder.create("overlay.img", SIZE), overlay: true },
      { path: folder.create("ro.img", SIZE), readOnly: true },
    ],
    onNotice: (line) => notices.push(line),
  });
  await guest.ready();
}, BOOT);

afterAll(() => {
  guest?.close();
  folder.remove();
});

/** Standard output of a command that must succeed. */
async function sh(command: string): Promise<string> {
  const { status, output } = await run(guest, command);
  expect({ command, status, output }).toMatchObject({ status: 0 });
  return output;
}

/** Waits until the guest has done what was asked of it. */
async function until(reached: (usage: MemoryUsage) => boolean): Promise<MemoryUsage> {
  for (let tries = 0; ; tries++) {
    const usage = guest.memory();
    if (reached(usage)) return usage;
    if (tries === 600) throw new Error(`not reached: ${JSON.stringify(usage)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const exits = () =>
  guest
    .counters()
    .filter(({ name }) => name === "virtio-pmem")
    .reduce((sum, { count }) => sum + Number(count), 0);

describe("persistent memory", { timeout: 120_000 }, () => {
  it("shows the file, and takes no exit to be read", async () => {
    await sh("cat /dev/pmem0 >/dev/null");
    const before = exits();
    expect(await sh("sha256sum </dev/pmem0")).toBe(`${folder.digest("pmem.img")}  -\n`);
    // 4,096 pages; closing it asks for a flush.
    expect(exits() - before).toBeLessThan(10);
  });

  it("has in the file what was flushed", async () => {
    const before = folder.read("pmem.img");
    await sh("printf %4096s pattern | dd of=/dev/pmem0 bs=4096 seek=77 conv=fsync 2>/dev/null");
    before.write("pattern".padStart(4096), 77 * 4096);
    expect(Buffer.compare(folder.read("pmem.img"), before)).toBe(0);
  });

  it("an overlay stays in memory", async () => {
    const before = folder.digest("overlay.img");
    await sh("printf %4096s pattern | dd of=/dev/pmem1 bs=4096 conv=fsync 2>/dev/null; sync");
    expect(await sh("head -c 4096 /dev/pmem1")).toBe("pattern".padStart(4096));
    expect(folder.digest("overlay.img")).toBe(before);
  });

  it("read-only: what was written cannot be flushed", async () => {
    const before = folder.digest("ro.img");
    const { status, output } = await run(guest, "printf %4096s x | dd of=/dev/pmem2 bs=4096 conv=fsync");
    expect(status).not.toBe(0);
    expect(output).toContain("Input/output error");
    expect(folder.digest("ro.img")).toBe(before);
  });
});

describe("the balloon", { timeout: 120_000 }, () => {
  it("takes pages, which a snapshot need not hold, and gives them back", async () => {
    await sh("head -c 67108864 /dev/urandom >/dev/shm/random && rm /dev/shm/random");
    const before = guest.memoryUsed();
    expect(guest.memory()).toMatchObject({ ram: 256 * MIB, ballooned: 0, pmem: 3 * SIZE });
    const free = (await guest.memoryStats()).available ?? 0;
    guest.setBalloon(96 * MIB);
    await until(({ ballooned }) => ballooned === 96 * MIB);
    expect(guest.memoryUsed()).toBeLessThan(before - 16 * MIB);
    const { available = 0, total } = await guest.memoryStats();
    expect(free - available).toBeGreaterThan(80 * MIB);
    expect(total).toBeGreaterThan(128 * MIB);
    guest.setBalloon(0);
    expect((await until(({ ballooned }) => ballooned === 0)).balloonTarget).toBe(0);
    expect((await guest.memoryStats()).available).toBeGreaterThan(free - 16 * MIB);
  });

  it("hears of free pages", async () => {
    await sh("head -c 67108864 /dev/urandom >/dev/shm/random && rm /dev/shm/random");
    await until(({ reportedFree }) => reportedFree > 32 * MIB);
  });

  it("shrinks before a guest without memory kills", async () => {
    const { available = 0 } = await guest.memoryStats();
    const target = Math.floor(available / MIB - 16) * MIB;
    guest.setBalloon(target);
    await until(({ ballooned }) => ballooned === target);
    await sh("head -c 67108864 /dev/zero >/dev/shm/zeros && rm /dev/shm/zeros");
    expect(guest.memory().ballooned).toBeLessThan(target);
    guest.setBalloon(0);
    expect(await sh("dmesg | grep -c 'Out of memory' || :")).toBe("0\n");
  });
});

it("no driver complains", async () => {
  // Every kernel for RISC-V says this of any persistent memory (no CONFIG_ARCH_HAS_UACCESS_FLUSHCACHE).
  const said = await sh(
    "dmesg -r | grep -E '^<[0-4]>' | grep -iE 'pmem|nd_|virtio|balloon' | grep -v 'unable to guarantee' || :",
  );
  expect(said).toBe("");
  expect(notices).toEqual([]);
});
