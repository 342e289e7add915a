// When the interrupt of a disk goes out: one suite for every form. A driver that submits and waits is
// interrupted at once; one that submits more meanwhile once for many, when a hart idles or 500 us
// have passed. Completions never wait.
import { beforeEach, describe, expect, it } from "vitest";

/** Interrupts that go at once at first, and after waits in vain. */
const MANY = 63;
/** ... after the first wait in vain. */
const FEW = 7;
/** Ticks in 500 us. */
const MOST = 5000;

/** A driver of one disk, and the board around it. */
export interface ModeratedDisk {
  /** Submits a read and kicks. Throws if it has not completed. */
  read(): void;
  /** Is the interrupt out? */
  interrupt(): boolean;
  /** What an interrupt handler does: consumes completions, acknowledges. */
  handle(): void;
  /** Submits a flush that the host finishes later, and returns what finishes it. */
  flushLater(): () => void;
  reset(): void;
  setTime(ticks: number): void;
  call(name: "sendDiskInterrupts" | "disksUpdate"): number;
}

/** @param asksForAll the driver has asked for an interrupt for all it is given back, seen or not. */
export function moderationSuite(name: string, create: () => ModeratedDisk, asksForAll = false): void {
  describe(`${name}: interrupts`, () => {
    let disk: ModeratedDisk;
    beforeEach(() => {
      disk = create();
    });

    /** Requests in turn whose interrupts go at once; how many those are before one waits, `limit` at most. */
    const atOnce = (limit = 2 * MANY) => {
      for (let count = 0; count < limit; count++) {
        disk.read();
        if (!disk.interrupt()) return count;
        disk.handle();
        expect(disk.interrupt()).toBe(false);
      }
      return limit;
    };
    const idle = () => disk.call("sendDiskInterrupts");

    it("go at once at first; one that waited in vain is followed by many that do not", () => {
      for (let round = 0; round < 3; round++) {
        expect(atOnce()).toBe(MANY);
        idle();
        expect(disk.interrupt()).toBe(true);
        disk.handle();
      }
    });

    it("wait again while that is of use, and tell of all at once", () => {
      expect(atOnce()).toBe(MANY);
      for (let round = 0; round < 4; round++) {
        for (let more = 0; more < 5; more++) {
          if (round > 0 || more > 0) disk.read();
          expect(disk.interrupt()).toBe(false);
        }
        idle();
        expect(disk.interrupt()).toBe(true);
        disk.handle();
        expect(disk.interrupt()).toBe(false);
      }
      // Two waits in vain: after the first it is tried again soon.
      disk.read();
      idle();
      disk.handle();
      expect(atOnce()).toBe(FEW);
      idle();
      disk.handle();
      expect(atOnce()).toBe(MANY);
    });

    it("wait for 500 us at most", () => {
      disk.setTime(1000);
      expect(atOnce()).toBe(MANY);
      disk.setTime(1000 + MOST - 1);
      disk.read();
      disk.call("disksUpdate");
      expect(disk.interrupt()).toBe(false);
      disk.setTime(1000 + MOST);
      disk.call("disksUpdate");
      expect(disk.interrupt()).toBe(true);
    });

    it("that wait go out with that of a flush", () => {
      expect(atOnce()).toBe(MANY);
      const finish = disk.flushLater();
      expect(disk.interrupt()).toBe(false);
      finish();
      expect(disk.interrupt()).toBe(true);
    });

    it("that wait end with a reset", () => {
      expect(atOnce()).toBe(MANY);
      disk.reset();
      idle();
      expect(disk.interrupt()).toBe(false);
    });

    it(`are ${asksForAll ? "sent" : "not sent"} for what the driver has seen by itself`, () => {
      expect(atOnce()).toBe(MANY);
      disk.handle();
      idle();
      expect(disk.interrupt()).toBe(asksForAll);
    });
  });
}
