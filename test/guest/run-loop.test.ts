// The run loop on the real event loop, driving a guest made of a script: which slices run,
// how long it sleeps, what wakes it. And the guest's clock.
import { describe, expect, it } from "vitest";
import { Exit } from "../../assembly/abi/exit.ts";
import { GuestClock } from "../../src/guest/clock.ts";
import type { CpuTurns } from "../../src/guest/cpu-turns.ts";
import type { Platform } from "../../src/guest/platform.ts";
import { type Driven, RunLoop } from "../../src/guest/run-loop.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";

const TICKS_PER_MS = 10_000;

/** A guest that answers each slice with what `slice` says. */
function scripted(slice: () => Exit, part: Partial<Driven> = {}): Driven {
  return {
    deliver: () => false,
    run: slice,
    deadline: Number.POSITIVE_INFINITY,
    collect: () => {},
    publish: () => {},
    awaitsCompletion: false,
    handle: () => false,
    fail: (error) => {
      throw error;
    },
    ...part,
  };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("the run loop", () => {
  it("gives the host's events their turn while the guest computes", async () => {
    let slices = 0;
    const loop = new RunLoop(
      scripted(() => {
        slices++;
        const end = performance.now() + 0.5;
        while (performance.now() < end);
        return Exit.BUDGET;
      }),
      nodePlatform,
      new GuestClock(nodePlatform.now),
    );
    loop.start();
    // If the loop kept its thread for itself no timer would end.
    while (slices <= 5) await sleep(1);
    loop.end();
    const atEnd = slices;
    await sleep(20);
    expect(slices).toBe(atEnd);
  });

  it.each([0.1, 0.25, 0.9])("gives a guest with a cap of %d of a core that share of the time", (cap) => {
    let now = 1000;
    let ran = 0;
    let next = () => {};
    const platform: Platform = {
      ...nodePlatform,
      now: () => now,
      yieldToHost: (task) => {
        next = task;
      },
      startTimer: (ms, task) => {
        next = () => {
          now += ms;
          task();
        };
        return () => {};
      },
    };
    const loop = new RunLoop(
      scripted(() => {
        now += 0.5;
        ran += 0.5;
        return Exit.BUDGET;
      }),
      platform,
      new GuestClock(() => now),
      cap,
    );
    loop.start();
    for (let turn = 0; turn < 1000; turn++) next();
    expect(ran / (now - 1000)).toBeGreaterThan(cap * 0.85);
    expect(ran / (now - 1000)).toBeLessThan(cap * 1.02);
    // A guest that slept has no more than a moment of its share saved up.
    now += 100_000;
    const [before, since] = [ran, now];
    while (now - since < 200) next();
    expect(ran - before).toBeLessThan(200 * cap + 20 + 8);
    loop.end();
  });

  it("runs no slice while it is another guest's turn, and says when it has nothing to run", async () => {
    const seen: string[] = [];
    let refusals = 3;
    const turns: CpuTurns = {
      setWeight: () => {},
      mayRun: () => {
        seen.push(refusals > 0 ? "no" : "yes");
        return refusals-- <= 0;
      },
      wait: () => void seen.push("wait"),
      leave: () => void seen.push("leave"),
    };
    await new Promise<void>((resolve) => {
      let slices = 0;
      const driven = scripted(
        () => {
          seen.push("slice");
          if (slices++ === 0) return Exit.IDLE;
          resolve();
          return Exit.POWER_OFF;
        },
        { deadline: 20 * TICKS_PER_MS },
      );
      new RunLoop(driven, nodePlatform, new GuestClock(nodePlatform.now), 1, turns).start();
    });
    await sleep(0);
    const waited = ["no", "wait", "no", "wait", "no", "wait"];
    expect(seen.filter((it, n) => it !== seen[n - 1])).toEqual([
      ...waited,
      "yes",
      "slice",
      "leave",
      "yes",
      "slice",
      "leave",
    ]);
  });

  it("that is held while it waits for its turn wants none", async () => {
    const seen: string[] = [];
    const turns: CpuTurns = {
      setWeight: () => {},
      mayRun: () => {
        seen.push("asked");
        return false;
      },
      wait: () => {},
      leave: () => void seen.push("left"),
    };
    const loop = new RunLoop(
      scripted(() => Exit.BUDGET),
      nodePlatform,
      new GuestClock(nodePlatform.now),
      1,
      turns,
    );
    loop.start();
    await sleep(5);
    loop.hold("a test");
    await sleep(5);
    expect(seen[0]).toBe("asked");
    expect(seen.at(-1)).toBe("left");
    expect(seen.filter((it) => it === "left")).toHaveLength(1);
    loop.end();
  });

  it("sleeps until the deadline without slices in between, and is not early", async () => {
    const clock = new GuestClock(nodePlatform.now);
    const deadline = 80 * TICKS_PER_MS;
    const ran: number[] = [];
    const woken = new Promise<void>((resolve) => {
      const loop = new RunLoop(
        scripted(
          () => {
            ran.push(clock.now());
            if (clock.now() < deadline) return Exit.IDLE;
            resolve();
            return Exit.POWER_OFF;
          },
          { deadline },
        ),
        nodePlatform,
        clock,
      );
      loop.start();
    });
    await woken;
    expect(ran).toHaveLength(2);
    expect(ran[1]).toBeGreaterThanOrEqual(deadline);
  });

  it("runs a waiting guest no more than its timer asks for", async () => {
    const clock = new GuestClock(nodePlatform.now);
    let deadline = 0;
    let slices = 0;
    const loop = new RunLoop(
      {
        ...scripted(() => {
          slices++;
          // A timer of 100 Hz, as a busy idle guest has.
          if (clock.now() >= deadline) deadline = clock.now() + 10 * TICKS_PER_MS;
          return Exit.IDLE;
        }),
        get deadline() {
          return deadline;
        },
      },
      nodePlatform,
      clock,
    );
    loop.start();
    await sleep(1000);
    loop.end();
    expect(slices).toBeLessThan(150);
  });

  it("wakes at once for input", async () => {
    const clock = new GuestClock(nodePlatform.now);
    let input = false;
    let wokenAfter: number | undefined;
    let since = 0;
    const loop = new RunLoop(
      scripted(() => {
        if (input) wokenAfter ??= performance.now() - since;
        return Exit.IDLE;
      }),
      nodePlatform,
      clock,
    );
    loop.start();
    await sleep(20);
    input = true;
    since = performance.now();
    loop.wake();
    await sleep(200);
    loop.end();
    expect(wokenAfter).toBeLessThan(150);
  });

  it("stands still while held, with its time", async () => {
    const clock = new GuestClock(nodePlatform.now);
    let slices = 0;
    const loop = new RunLoop(
      scripted(() => {
        slices++;
        return Exit.IDLE;
      }),
      nodePlatform,
      clock,
    );
    loop.start();
    await sleep(10);
    loop.hold("test");
    const [heldSlices, heldAt] = [slices, clock.now()];
    loop.wake();
    await sleep(300);
    expect(slices).toBe(heldSlices);
    loop.release("test");
    expect(clock.now() - heldAt).toBeLessThan(250 * TICKS_PER_MS);
    await sleep(10);
    expect(slices).toBeGreaterThan(heldSlices);
    loop.end();
  });

  it("hands an error to whoever owns the guest", async () => {
    const failure = new Error("broken");
    const failed = await new Promise((resolve) => {
      const driven = scripted(
        () => {
          throw failure;
        },
        { fail: resolve },
      );
      new RunLoop(driven, nodePlatform, new GuestClock(nodePlatform.now)).start();
    });
    expect(failed).toBe(failure);
  });
});

describe("guest time", () => {
  it("leaves out a gap in which the process was stopped, and never goes back", () => {
    let host = 5000;
    const clock = new GuestClock(() => host);
    expect(clock.now()).toBe(0);
    host += 900;
    expect(clock.now()).toBe(900 * TICKS_PER_MS);
    host += 60_000;
    expect(clock.now()).toBe(900 * TICKS_PER_MS);
    host += 1;
    expect(clock.now()).toBe(901 * TICKS_PER_MS);
  });

  it("counts a sleep that was planned, but not what went beyond", () => {
    let host = 0;
    const clock = new GuestClock(() => host);
    host = 30_000;
    clock.slept(30_000);
    expect(clock.now()).toBe(30_000 * TICKS_PER_MS);
    host = 100_000;
    clock.slept(40_000);
    expect(clock.now()).toBe(40_000 * TICKS_PER_MS);
  });

  it("stops while paused", () => {
    let host = 0;
    const clock = new GuestClock(() => host);
    host = 100;
    clock.pause();
    host = 500;
    clock.resume();
    host = 600;
    expect(clock.now()).toBe(200 * TICKS_PER_MS);
  });
});
