// The machine as Debian's kernel finds it, and as the host sees it, on the shared guest.
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { nodePlatform } from "../../../src/platform/node/platform.ts";
import { debian, type SharedGuest, sh } from "./debian.ts";
import { withoutLinked } from "./linked.ts";

let shared: SharedGuest;
beforeAll(async () => {
  shared = await debian();
});

describe("disks", () => {
  it.each([
    ["/dev/vda", () => shared.virtioDisk],
    ["/dev/nvme0n1", () => shared.nvmeDisk],
  ])("%s: what is written and flushed is in the host's bytes, and reads back", async (device, bytes) => {
    expect(await sh(`blockdev --getsize64 ${device}`)).toBe(`${16 * 1024 * 1024}\n`);
    await sh(
      `dd if=/dev/urandom of=/tmp/random bs=64k count=20 2>/dev/null; dd if=/tmp/random of=${device} bs=64k seek=3 conv=fsync`,
    );
    const sum = await sh("sha256sum < /tmp/random");
    const digest = await crypto.subtle.digest("SHA-256", bytes().slice(3 * 65_536, 23 * 65_536));
    expect(sum.slice(0, 64)).toBe(Buffer.from(digest).toString("hex"));
    await sh("echo 3 > /proc/sys/vm/drop_caches");
    expect(await sh(`dd if=${device} bs=64k skip=3 count=20 2>/dev/null | sha256sum`)).toBe(sum);
    await sh("rm /tmp/random");
  });
});

describe("entropy, time, interrupts", () => {
  it("has a hardware random number generator that gives different bytes", async () => {
    const first = await sh("head -c 16 /dev/hwrng | od -An -tx1");
    expect(await sh("head -c 16 /dev/hwrng | od -An -tx1")).not.toBe(first);
  });

  it("tells the host's date", async () => {
    const guest = Number(await sh("date +%s"));
    expect(Math.abs(guest - Date.now() / 1000)).toBeLessThan(30);
  });

  it("stands still while paused: the guest sees no leap", async () => {
    const uptime = async () => Number((await sh("cat /proc/uptime")).split(" ")[0]);
    const before = await uptime();
    shared.guest.pause();
    expect(shared.guest.isPaused).toBe(true);
    const instructions = shared.guest.instructions;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(shared.guest.instructions).toBe(instructions);
    shared.guest.resume();
    expect((await uptime()) - before).toBeLessThan(2.5);
  });
});

describe("counters", () => {
  it("count what a read of one block costs on each device", async () => {
    const reads = async (device: string, name: string, register: RegExp) => {
      const count = () =>
        shared.guest
          .counters()
          .filter((it) => it.name === name && it.direction === "write" && register.test(it.registerName))
          .reduce((sum, it) => sum + it.count, 0n);
      const before = count();
      await sh(`dd if=${device} of=/dev/null bs=4k count=50 iflag=direct 2>/dev/null`);
      return Number(count() - before);
    };
    // One doorbell, or one notification, a request.
    expect(await reads("/dev/vda", "virtio-blk", /notify/i)).toBeGreaterThanOrEqual(50);
    expect(await reads("/dev/vda", "virtio-blk", /notify/i)).toBeLessThan(80);
    const doorbells = await reads("/dev/nvme0n1", "nvme", /doorbell/i);
    expect(doorbells).toBeGreaterThanOrEqual(50);
    expect(doorbells).toBeLessThan(200);
  });
});

describe("the host", () => {
  // What that takes of a processor is in bench/memory.ts: times are not for tests.
  it("hardly runs a guest that idles, and does not poll for it", async () => {
    await sh("sleep 1");
    await withoutLinked(async () => {
      const turns = vi.spyOn(nodePlatform, "yieldToHost");
      const before = shared.guest.instructions;
      await sleep(5000);
      expect(shared.guest.instructions - before).toBeLessThan(2_000_000);
      expect(turns.mock.calls.length).toBeGreaterThan(0);
      expect(turns.mock.calls.length).toBeLessThan(500);
      turns.mockRestore();
    });
  });

  it("spends at most 24 MiB beyond the guest's RAM", () => {
    expect(shared.guest.overheadBytes).toBeLessThanOrEqual(24 * 1024 * 1024);
  });

  it("had nothing to complain about", () => {
    expect(shared.notices).toEqual([]);
  });
});
