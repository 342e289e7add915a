// Shares of processor time by weight, on a clock that the test turns: guests that want to run, sleep, come late,
// and end without a word.
import { describe, expect, it } from "vitest";
import { CpuShare, CpuShares, type SharePlace } from "../../src/hypervisor/cpu-shares.ts";

const MILLISECOND = 1000;
/** What a guest's turn takes, in ms. */
const TURN = 4;

interface Simulated {
  share: CpuShare;
  place: SharePlace;
  /** Does it want to run, `ms` after the start? */
  wants(ms: number): boolean;
  /** When its turn ends; undefined while it has none. */
  until: number | undefined;
}

/** A machine on which turns take exactly their time, and whoever waits asks again every millisecond. */
class Machine {
  readonly shares: CpuShares;
  readonly #cores: number;
  readonly #guests: Simulated[] = [];
  #ms = 1_000_000;
  /** Milliseconds of guests' turns in which more of them ran than there are cores. */
  crowded = 0;

  constructor(cores: number) {
    this.#cores = cores;
    this.shares = new CpuShares(cores);
  }

  add(weight: number, wants: (ms: number) => boolean = () => true): Simulated {
    const place = this.shares.take();
    const share = new CpuShare(place, () => this.#ms * MILLISECOND);
    share.setWeight(weight);
    const guest = { share, place, wants, until: undefined };
    this.#guests.push(guest);
    return guest;
  }

  /** Its thread ends without a word. */
  kill(guest: Simulated): void {
    this.#guests.splice(this.#guests.indexOf(guest), 1);
  }

  run(ms: number): void {
    for (const end = this.#ms + ms; this.#ms < end; this.#ms++) {
      // Who is woken by another that stepped back asks at once.
      for (const guest of [...this.#guests, ...this.#guests]) this.#step(guest);
      if (this.#guests.filter(({ until }) => until !== undefined).length > this.#cores) this.crowded++;
    }
  }

  /** Seconds that each ran while `ms` passed. */
  during(ms: number): number[] {
    const before = this.#guests.map(({ share }) => share.seconds.ran);
    this.run(ms);
    return this.#guests.map(({ share }, n) => share.seconds.ran - before[n]);
  }

  #step(guest: Simulated): void {
    if (guest.until !== undefined && this.#ms < guest.until) return;
    guest.until = undefined;
    if (!guest.wants(this.#ms - 1_000_000)) guest.share.leave();
    else if (guest.share.mayRun()) guest.until = this.#ms + TURN;
  }
}

function near(values: readonly number[], wanted: readonly number[], within = 0.05): void {
  for (const [n, value] of values.entries()) {
    expect(value, `of guest ${n}`).toBeGreaterThan(wanted[n] - within);
    expect(value, `of guest ${n}`).toBeLessThan(wanted[n] + within);
  }
}

describe("guests that want more than there is", () => {
  it.each([
    [1, [100, 300], [2.5, 7.5]],
    [1, [1, 1, 1], [3.33, 3.33, 3.33]],
    [2, [100, 100, 200], [5, 5, 10]],
    [2, [100, 100, 100, 300], [3.33, 3.33, 3.33, 10]],
    [1, [1, 9999], [0, 10]],
    [4, [10_000, 10_000, 10_000, 10_000, 10_000], [8, 8, 8, 8, 8]],
  ])("on %d cores with weights %j have their shares of 10 s, and leave none unused", (cores, weights, seconds) => {
    const machine = new Machine(cores);
    for (const weight of weights) machine.add(weight);
    const ran = machine.during(10_000);
    near(ran, seconds);
    expect(ran.reduce((sum, it) => sum + it, 0)).toBeGreaterThan(Math.min(cores, weights.length) * 9.9);
  });

  it("do not run side by side beyond the cores but for a turn at a time", () => {
    const machine = new Machine(2);
    for (const weight of [100, 200, 300, 400]) machine.add(weight);
    machine.run(10_000);
    expect(machine.crowded).toBeLessThan(50);
  });

  it("count what they waited", () => {
    const machine = new Machine(1);
    const [one, two] = [machine.add(100), machine.add(100)];
    machine.run(1000);
    near([one.share.seconds.heldBack, two.share.seconds.heldBack], [0.5, 0.5]);
  });
});

describe("a guest", () => {
  it("that is alone has everything, whatever its weight", () => {
    const machine = new Machine(1);
    const light = machine.add(1);
    machine.add(10_000, () => false);
    expect(machine.during(1000)[0]).toBeGreaterThan(0.99);
    expect(light.share.seconds.heldBack).toBe(0);
  });

  it("has what others leave", () => {
    const machine = new Machine(1);
    // One wants every second ten milliseconds.
    machine.add(10_000, (ms) => ms % 20 < 10);
    machine.add(1);
    near(machine.during(10_000), [6, 4], 1.1);
  });

  it("that has slept runs at once, and has saved up a turn at most", () => {
    const machine = new Machine(1);
    machine.add(100);
    const sleeper = machine.add(100, (ms) => ms >= 10_000);
    machine.run(10_000);
    expect(sleeper.share.seconds.ran).toBe(0);
    const [busy, woken] = machine.during(400);
    near([busy, woken], [0.2, 0.2], 0.013);
    expect(sleeper.share.seconds.heldBack).toBeLessThan(0.21);
  });

  it("need not pay for what nobody else could use", () => {
    const machine = new Machine(2);
    machine.add(10_000);
    machine.add(100);
    // Both had a core to themselves, though weights say 100 to 1.
    near(machine.during(10_000), [10, 10]);
    machine.add(100);
    near(machine.during(1000), [1, 0.5, 0.5], 0.03);
  });

  it("whose thread has ended in the middle of its turn is in nobody's way", () => {
    const machine = new Machine(1);
    const [dead] = [machine.add(10_000), machine.add(100)];
    machine.run(100);
    machine.kill(dead);
    expect(machine.during(1000)[0]).toBeGreaterThan(0.88);
    machine.shares.release(dead.place);
    // Its place is another's, who begins where the others are.
    machine.add(100);
    near(machine.during(1000), [0.5, 0.5], 0.02);
  });

  it("is woken when the core that it waits for is free", () => {
    const shares = new CpuShares(1);
    let now = 0;
    const [one, two] = [0, 1].map(() => new CpuShare(shares.take(), () => now));
    expect([one.mayRun(), two.mayRun()]).toEqual([true, false]);
    now = 1000;
    one.leave();
    // Returns at once: nobody else would wake it here, and the test's clock stands.
    two.wait();
    expect(two.mayRun()).toBe(true);
  });

  it("past the last place is refused in words", () => {
    const shares = new CpuShares(2);
    const places = Array.from({ length: 1024 }, () => shares.take());
    expect(() => shares.take()).toThrow("1024 guests share the processors: stop one first");
    shares.release(places[7]);
    expect(shares.take().slot).toBe(7);
  });
});
