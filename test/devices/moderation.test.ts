// Interrupts of the emulated disks that wait.
import { describe, expect, it } from "vitest";
import * as ahci from "./ahci/driver.ts";
import type { TestBoard } from "./board.ts";
import { moderationSuite } from "./moderation.ts";
import * as nvme from "./nvme/driver.ts";

function onBoard(board: TestBoard) {
  return {
    setTime(ticks: number) {
      board.now = ticks;
    },
    call: (name: string) => board.call(name),
    /** Makes the next flush one that the host finishes later; what finishes it. */
    flush(submit: () => void, done: "nvmeDiskDone" | "ahciDiskDone") {
      board.flushAnswer = 1;
      submit();
      const tag = board.flushes.at(-1);
      if (tag === undefined) throw new Error("the host was not asked to flush");
      return () => void board.call(done, 0, tag, 0);
    },
  };
}

moderationSuite("NVMe", () => {
  const d = nvme.Driver.create();
  d.enable();
  const q = d.queue(1, 256);
  const page = d.allocate(nvme.PAGE);
  const board = onBoard(d.board);
  let taken = 0;
  let submitted = 0;
  return {
    ...board,
    read() {
      q.put(nvme.read(0, 1, page));
      q.ring();
      submitted++;
    },
    interrupt: () => d.interrupt(),
    handle() {
      while (q.take(false) !== undefined) taken++;
      d.doorbell(3, q.head);
      if (taken !== submitted) throw new Error(`${taken} of ${submitted} commands have completed`);
    },
    flushLater: () =>
      board.flush(() => {
        q.put(nvme.FLUSH);
        q.ring();
      }, "nvmeDiskDone"),
    reset: () => d.restart(q),
  };
});

moderationSuite("AHCI", () => {
  const d = ahci.Driver.create();
  const at = d.allocate(ahci.PAGE);
  const board = onBoard(d.board);
  let slot = 0;
  const queued = (command: number, c: Partial<ahci.AtaCommand>) => {
    d.queued(slot, { command, lba: 0, count: 1, data: [{ at, bytes: 512 }], ...c });
    slot = (slot + 1) % 32;
  };
  return {
    ...board,
    read() {
      queued(ahci.READ_QUEUED, {});
      if (d.get(ahci.Px.SACT) !== 0) throw new Error("the command has not completed");
    },
    interrupt: () => d.interrupt(),
    handle: () => void d.acknowledge(),
    // A queued command that must be durable before it ends.
    flushLater: () => board.flush(() => queued(ahci.WRITE_QUEUED, { device: 0xc0, write: true }), "ahciDiskDone"),
    reset: () => d.recover(),
  };
});

describe("NVMe: coalescing disabled for a vector", () => {
  it("lets no interrupt of it wait", () => {
    const d = nvme.Driver.create();
    d.enable();
    const q = d.queue(1);
    const page = d.allocate(nvme.PAGE);
    // Set Features, interrupt vector configuration: vector 0.
    expect(d.admin.status({ opcode: 9, cdw10: 9, cdw11: 0x1_0000 })).toBe(0);
    for (let i = 0; i < 200; i++) {
      q.put(nvme.read(0, 1, page));
      q.ring();
      expect(d.interrupt()).toBe(true);
      expect(q.take()?.status).toBe(0);
      expect(d.interrupt()).toBe(false);
    }
  });
});
