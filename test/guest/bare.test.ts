// Guests of a few instructions: how guests end, restart and crash, in milliseconds.
import { describe, expect, it } from "vitest";
import { writeCpio } from "../../src/image/cpio.ts";
import { file } from "../../src/image/file-tree.ts";
import { createGuest, ExecError, GuestCrash, memoryDisk, type NodeGuestOptions } from "../../src/index.ts";
import { addi, program, systemReset } from "./instructions.ts";

const SPIN = 0x6f;
const WFI = 0x1050_0073;
const JUMP_BACK = 0xffdf_f06f; // j .-4

const A0 = 10;

const start = (kernel: Uint8Array, options: NodeGuestOptions = {}) =>
  createGuest({ kernel, memory: "16M", ...options });

describe("a guest ends", () => {
  it("by switching itself off", async () => {
    const guest = await start(program(...systemReset(0)));
    expect(await guest.wait()).toEqual({ reason: "power-off", status: 0 });
    expect(guest.instructions).toBe(7);
    expect(guest.counters()).toMatchObject([{ kind: "hypercall", name: "srst", register: 0, count: 1n }]);
  });

  it("and has a log of translated regions if it was asked to keep one", async () => {
    const guest = await start(program(...systemReset(0)));
    await guest.wait();
    expect(() => guest.regions()).toThrow(/logRegions: true/);
    const logged = await start(program(...systemReset(0)), { logRegions: true });
    await logged.wait();
    expect(logged.regions()).toEqual([]);
  });

  it("by being closed, once, which closes its disks", async () => {
    let closed = 0;
    const disk = { ...memoryDisk(1024), close: () => closed++ };
    const guest = await start(program(SPIN), { disks: [{ backend: disk }] });
    guest.close();
    guest.close();
    expect(await guest.wait()).toEqual({ reason: "closed", status: 0 });
    expect(closed).toBe(1);
  });

  it("with a disk that cannot be flushed as an error", async () => {
    const disk = {
      ...memoryDisk(1024),
      close: () => {
        throw new Error("no space");
      },
    };
    const guest = await start(program(SPIN), { disks: [{ backend: disk }] });
    guest.close();
    await expect(guest.wait()).rejects.toThrow("no space");
  });

  it("and commands that wait for it fail", async () => {
    const initrd = writeCpio([file("bin/sh", ""), file("bin/busybox", "")]);
    const guest = await start(program(SPIN), { initrd, exec: true });
    const command = guest.exec("true");
    guest.close();
    await expect(command).rejects.toThrow(ExecError);
    await expect(guest.exec("true")).rejects.toThrow(ExecError);
  });
});

describe("a guest restarts", () => {
  it.each([1, 2])("when it asks for a reset of type %d, from its images as they were", async (type) => {
    let resets = 0;
    const third = new Promise<void>((resolve) => {
      void start(program(...systemReset(type)), {
        onReset: () => {
          if (++resets < 3) return;
          resolve();
        },
      }).then((guest) => third.then(() => guest.close()));
    });
    await third;
    expect(resets).toBeGreaterThanOrEqual(3);
  });
});

describe("a guest crashes", () => {
  it("where a trap's handler cannot be fetched", async () => {
    // An illegal instruction, and no handler: stvec is 0, where there is no memory.
    const guest = await start(program(addi(A0, A0, 1), 0xffff_ffff));
    const error = await guest.wait().catch((it) => it);
    expect(error).toBeInstanceOf(GuestCrash);
    expect(error.kind).toBe("double-fault");
    expect(error.message).toMatch(
      /^the guest trapped and its handler at 0x0 cannot be fetched; hart 0, pc 0x[0-9a-f]+4 \(unimp {2}# 0xffffffff\), cause 2 \(illegal instruction\), tval 0xffffffff$/,
    );
  });
});

describe("a guest that waits", () => {
  it("does not run, paused or not, and stays the caller's to end", async () => {
    const guest = await start(program(WFI, JUMP_BACK));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { instructions } = guest;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(guest.instructions - instructions).toBeLessThan(10);
    guest.pause();
    const paused = guest.instructions;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(guest.instructions).toBe(paused);
    guest.close();
  });
});
