// stress-ng's verified stressors on Debian's kernel: what they compute, copy, lock and fork is
// checked by themselves. On every machine: paravirtual and through OpenSBI, one hart and two.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, type Guest } from "../../../src/index.ts";

const BOOT = 600_000;
const RUN = 600_000;

/** Guest seconds for each; the cpu stressor goes through some seventy methods, so it takes longer. */
const STRESSORS: [name: string, seconds: number, options?: string][] = [
  ["cpu", 40],
  ["vm", 12, "--vm-bytes 64M"],
  ["atomic", 6],
  ["fp", 12],
  ["matrix", 12],
  ["context", 6],
  ["fork", 6],
  ["futex", 6],
  ["mmap", 12, "--mmap-bytes 32M"],
  ["memcpy", 6],
  ["timer", 6],
  ["signal", 6],
];

const MACHINES = [
  { name: "paravirtual, 1 hart", harts: 1, firmware: undefined },
  { name: "paravirtual, 2 harts", harts: 2, firmware: undefined },
  { name: "through OpenSBI, 1 hart", harts: 1, firmware: "opensbi" },
  { name: "through OpenSBI, 2 harts", harts: 2, firmware: "opensbi" },
] as const;

/** What the kernel says only when something is wrong with it, or with the machine under it. */
const COMPLAINTS =
  /BUG:|WARNING:|Oops|Call Trace|Unable to handle|Kernel panic|self-detected stall|rcu.*stall|soft lockup|blocked for more than|irq \d+: nobody cared|I\/O error|timeout, /i;

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe.each(MACHINES)("stress-ng --verify, $name", ({ harts, firmware }) => {
  let guest: Guest;

  const run = async (command: string) => {
    const { status, stdout, stderr } = await guest.exec(command, { timeout: RUN });
    return { status, output: text(stdout) + text(stderr) };
  };

  beforeAll(async () => {
    guest = await createGuest({ guest: "debian", exec: true, tools: true, harts, firmware });
    await guest.ready();
  }, BOOT);
  afterAll(() => guest?.close());

  it("has the harts", async () => {
    expect(await run("grep -c ^processor /proc/cpuinfo")).toEqual({ status: 0, output: `${harts}\n` });
  });

  it.each(STRESSORS)(
    "%s",
    async (name, seconds, options = "") => {
      const { status, output } = await run(
        `stress-ng --verify --${name} ${harts} ${options} --timeout ${seconds}s --temp-path /tmp 2>&1`,
      );
      expect(output).not.toMatch(/\b(fail|error):/);
      expect(output).toMatch(new RegExp(`passed: ${harts}: ${name} \\(${harts}\\)`));
      expect(output).toMatch(/failed: 0$/m);
      expect(output).toMatch(/skipped: 0$/m);
      expect(output).toMatch(/successful run completed/);
      expect(status).toBe(0);
    },
    RUN,
  );

  it("left the kernel nothing to complain about", async () => {
    const { output } = await run("dmesg");
    expect(output).toMatch(/Linux version/);
    expect(output.split("\n").filter((line) => COMPLAINTS.test(line))).toEqual([]);
  });
});
