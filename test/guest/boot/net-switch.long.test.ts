// Two guests on the switch: 1 GiB each way through iperf3 with no byte lost, at both MTUs.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, createSwitch, type Guest } from "../../../src/index.ts";

const GIB = 1024 ** 3;
const SEGMENTS = GIB / 65_536;

describe.each([1500, 9000])("two guests on a switch, MTU %d", (mtu) => {
  const lan = createSwitch();
  const ports = [lan.port(), lan.port()];
  const guests: Guest[] = [];

  async function sh(guest: Guest, command: string): Promise<string> {
    const { status, stdout, stderr } = await guest.exec(command, { timeout: 1_200_000 });
    const text = new TextDecoder();
    if (status !== 0) throw new Error(`${command}: status ${status}: ${text.decode(stderr)}${text.decode(stdout)}`);
    return text.decode(stdout);
  }

  beforeAll(async () => {
    const created = ports.map((backend, i) =>
      createGuest({
        guest: "debian",
        exec: true,
        tools: true,
        nets: [{ backend, mac: `02:00:00:00:00:0${i}`, address: `10.0.0.${i + 1}/24`, mtu }],
      }),
    );
    guests.push(...(await Promise.all(created)));
    await Promise.all(guests.map((guest) => guest.ready()));
    await sh(guests[1], "iperf3 -s -D >/dev/null 2>&1; sleep 1");
  });
  afterAll(() => {
    for (const guest of guests) guest.close();
  });

  it.each(["", "-R"])("move 1 GiB whole (iperf3 %s)", async (direction) => {
    const before = guests.map((guest) => guest.instructions);
    const said = await sh(guests[0], `iperf3 -c 10.0.0.2 -n 1G -J ${direction}`);
    const { end } = JSON.parse(said) as {
      end: Record<"sum_sent" | "sum_received", { bytes: number; bits_per_second: number }>;
    };
    expect(end.sum_sent.bytes).toBeGreaterThanOrEqual(GIB);
    expect(end.sum_received.bytes).toBe(end.sum_sent.bytes);
    const spent = guests.map((guest, i) => Math.round((guest.instructions - before[i]) / SEGMENTS));
    const speed = Math.round(end.sum_received.bits_per_second / 1e6);
    process.stderr.write(
      `switch, MTU ${mtu} ${direction}: ${speed} Mbit/s, ${spent.join(" + ")} instructions a 64 KiB\n`,
    );
  });

  it("lost nothing on the way", async () => {
    for (const { counts } of ports) expect(counts.dropped).toBe(0);
    for (const guest of guests) {
      expect(await sh(guest, "cat /sys/class/net/eth0/statistics/rx_dropped")).toBe("0\n");
      expect(await sh(guest, "cat /sys/class/net/eth0/statistics/rx_errors")).toBe("0\n");
    }
  });
});
