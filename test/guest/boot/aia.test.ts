// The Advanced Interrupt Architecture under Debian's kernel: IMSIC and APLIC drivers, a vector for each
// NVMe queue, interrupts between harts without a call; the same through OpenSBI.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, type Guest, type GuestOptions } from "../../../src/index.ts";

const MIB = 1024 * 1024;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe.each<[string, { firmware?: "opensbi"; console: GuestOptions["console"] }]>([
  ["a kernel that calls the hypervisor", { console: "virtio" }],
  ["a kernel behind OpenSBI", { firmware: "opensbi", console: "ns16550a" }],
])("%s", (_name, options) => {
  let guest: Guest;
  const disk = new Uint8Array(16 * MIB);
  beforeAll(async () => {
    guest = await createGuest({
      guest: "debian",
      irqchip: "aia",
      harts: 2,
      exec: true,
      disks: [
        { bytes: disk, if: "nvme" },
        { bytes: new Uint8Array(4 * MIB), transport: "mmio" },
      ],
      ...options,
    });
    await guest.ready();
  }, 300_000);
  afterAll(() => guest?.close());

  async function sh(command: string): Promise<string> {
    const { status, stdout, stderr } = await guest.exec(command, { timeout: 120_000 });
    if (status !== 0) throw new Error(`${command}: status ${status}: ${text(stderr)}`);
    return text(stdout);
  }

  /** Lines of /proc/interrupts: what it is called, and how often on each hart. */
  async function interrupts(): Promise<{ name: string; counts: number[] }[]> {
    const lines = (await sh("cat /proc/interrupts")).trim().split("\n").slice(1);
    return lines.map((line) => {
      const [, counts, name] = /^\s*\w+:((?:\s+\d+)+)\s+(.*)$/.exec(line) ?? ["", "", line];
      return { name, counts: counts.trim().split(/\s+/).map(Number) };
    });
  }

  it("has its drivers, which find nothing to complain about", async () => {
    const log = await sh("dmesg");
    expect(log).toMatch(/riscv-imsic: .*providing IPIs using interrupt 1/);
    expect(log).toMatch(/96 interrupts forwarded to MSI base/);
    // Warnings and worse, by their level.
    const warnings = (await sh("dmesg -r")).split("\n").filter((line) => /^<[0-4]>/.test(line));
    expect(warnings.filter((line) => /imsic|aplic|msi|nvme|virtio|irq|intc|ipi/i.test(line))).toEqual([]);
    expect(await sh("grep -m1 -o smaia_ssaia /proc/cpuinfo")).toBe("smaia_ssaia\n");
  });

  it("takes NVMe's completions through a vector a queue, wires through the APLIC", async () => {
    await sh(
      "dd if=/dev/urandom of=/tmp/r bs=64k count=20 2>/dev/null; dd if=/tmp/r of=/dev/nvme0n1 bs=64k conv=fsync 2>/dev/null",
    );
    for (const hart of [0, 1])
      await sh(`taskset ${1 << hart} dd if=/dev/nvme0n1 of=/dev/null bs=4k count=20 iflag=direct`);
    expect(Buffer.from(disk.subarray(0, 20 * 65_536)).toString("hex").length).toBe(40 * 65_536);
    const sum = (await sh("sha256sum < /tmp/r")).slice(0, 64);
    const digest = await crypto.subtle.digest("SHA-256", disk.slice(0, 20 * 65_536));
    expect(Buffer.from(digest).toString("hex")).toBe(sum);
    await sh("dd if=/dev/vda of=/dev/null bs=4k count=20 iflag=direct 2>/dev/null");

    const seen = await interrupts();
    const total = (pattern: RegExp) =>
      seen.filter(({ name }) => pattern.test(name)).map(({ counts }) => counts.reduce((a, b) => a + b, 0));
    const vectors = total(/PCI-MSIX.*nvme0q[12]/);
    expect(vectors.length).toBe(2);
    for (const count of vectors) expect(count).toBeGreaterThanOrEqual(20);
    const wires = total(/APLIC-MSI-d000000.aplic.*virtio/);
    expect(wires.some((count) => count >= 20)).toBe(true);
    expect(total(/riscv-timer/)[0]).toBeGreaterThan(0);
  });

  it("sends interrupts between harts by messages, and fences with them", async () => {
    const calls = () => guest.counters().filter((it) => it.kind === "hypercall" && ["ipi", "rfence"].includes(it.name));
    const messages = () =>
      guest
        .counters()
        .filter((it) => it.name === "imsic" && it.registerName === "seteipnum_le")
        .reduce((sum, it) => sum + Number(it.count), 0);
    const before = messages();
    await sh("for i in 1 2 3 4 5 6 7 8 9 10; do taskset 1 true; taskset 2 true; done");
    expect(messages()).toBeGreaterThan(before);
    expect(calls()).toEqual([]);
  });
});
