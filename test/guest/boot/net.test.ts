// Debian's virtio_net on its devices: one on a wire with a host that answers ARP, DHCP and
// ping, others on a switch with a second guest, over both transports.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, createSwitch, type Guest } from "../../../src/index.ts";
import { EchoHost } from "./echo-host.ts";

const lan = createSwitch();
const echo = new EchoHost();
const folder = mkdtempSync(join(tmpdir(), "paravane-net-"));
const capture = join(folder, "lan.pcap");
const [a, b] = [lan.port(), lan.port()];
let first: Guest;
let second: Guest;

async function sh(guest: Guest, command: string): Promise<string> {
  const { status, stdout, stderr } = await guest.exec(command, { timeout: 120_000 });
  const text = new TextDecoder();
  if (status !== 0) throw new Error(`${command}: status ${status}: ${text.decode(stderr)}${text.decode(stdout)}`);
  return text.decode(stdout);
}

beforeAll(async () => {
  [first, second] = await Promise.all([
    createGuest({
      guest: "debian",
      exec: true,
      tools: true,
      harts: 2,
      nets: [{ backend: echo }, { backend: a, address: "10.1.0.1/24", mtu: 9000, pcap: capture }],
    }),
    createGuest({
      guest: "debian",
      exec: true,
      nets: [{ backend: b, transport: "mmio", mac: "02:00:00:00:00:0b", address: "10.1.0.2/24", mtu: 9000 }],
    }),
  ]);
  await Promise.all([first.ready(), second.ready()]);
}, 300_000);

afterAll(() => {
  first?.close();
  second?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("virtio-net in Debian", { timeout: 240_000 }, () => {
  it("has its address before the first command, from DHCP or from the options", async () => {
    const said = await sh(first, "ip -4 -o address; ip route; cat /etc/resolv.conf; cat /sys/class/net/eth*/address");
    expect(said).toContain("inet 10.0.9.15/24");
    expect(said).toContain("inet 10.1.0.1/24");
    expect(said).toContain("default via 10.0.9.1 dev eth0");
    expect(said).toContain("nameserver 10.0.9.1");
    expect(said).toContain("52:54:00:12:34:56\n52:54:00:12:34:57\n");
    expect(await sh(second, "cat /sys/class/net/eth0/address")).toBe("02:00:00:00:00:0b\n");
  });

  it("reaches a host that takes finished frames alone", async () => {
    expect(await sh(first, "ping -c 3 -i 0.2 10.0.9.1")).toContain(" 0% packet loss");
    expect(await sh(first, "ping -c 2 -i 0.2 -s 1400 10.0.9.1")).toContain(" 0% packet loss");
    expect(echo.complaints).toEqual([]);
  });

  it("reaches the other guest, and moves data between them whole", async () => {
    expect(await sh(first, "ping -c 3 -i 0.2 10.1.0.2")).toContain(" 0% packet loss");
    expect(await sh(first, "ping -c 2 -i 0.2 -s 8000 10.1.0.2")).toContain(" 0% packet loss");
    await sh(first, "head -c 8000000 /dev/urandom >/tmp/data");
    const sum = await sh(first, "sha256sum </tmp/data");
    await sh(second, "sleep 60 2>/dev/null | nc -l -p 7000 >/tmp/data & echo $! >/tmp/pid; sleep 0.2");
    await sh(first, "nc 10.1.0.2 7000 </tmp/data");
    expect(
      await sh(second, "while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done; sha256sum </tmp/data"),
    ).toBe(sum);
    expect(a.counts.dropped + b.counts.dropped).toBe(0);
    // Large segments, not packets of the wire's size.
    expect(a.counts.received).toBeLessThan(1500);
  });

  it("is what ethtool says it is", async () => {
    expect(await sh(first, "ethtool -i eth1")).toMatch(/driver: virtio_net[\s\S]*bus-info: 0000:00:[01][0-9a-f]\.0/);
    const features = await sh(first, "ethtool -k eth1");
    for (const feature of [
      "tx-checksumming",
      "tcp-segmentation-offload",
      "scatter-gather",
      "generic-receive-offload",
    ]) {
      expect(features).toContain(`${feature}: on`);
    }
    expect(await sh(first, "ethtool eth1")).toMatch(/Speed: 10000Mb\/s\s+Duplex: Full[\s\S]*Link detected: yes/);
    expect(await sh(first, "ethtool -l eth1")).toMatch(/Combined:\s+2[\s\S]*Combined:\s+\d/);
    expect(await sh(first, "ethtool -S eth1")).toMatch(/rx0_kicks: [1-9][\s\S]*tx0_kicks: [1-9]/);
    await sh(first, "ethtool -L eth1 combined 2");
    expect(await sh(first, "ping -c 2 -i 0.2 10.1.0.2")).toContain(" 0% packet loss");
    await sh(first, "ethtool -K eth1 gro off rx-gro-hw off; ethtool -L eth1 combined 1");
    expect(await sh(first, "cat /sys/class/net/eth1/mtu")).toBe("9000\n");
  });

  it("notices a cable that is pulled out", async () => {
    const carrier = () => sh(first, "cat /sys/class/net/eth0/carrier");
    expect(await carrier()).toBe("1\n");
    echo.setLink(false);
    expect(await carrier()).toBe("0\n");
    echo.setLink(true);
    expect(await carrier()).toBe("1\n");
    expect(await sh(first, "ping -c 1 10.0.9.1")).toContain(" 0% packet loss");
  });

  it("comes back after its driver was taken away", async () => {
    await sh(
      second,
      "ip link set eth0 down; modprobe -r virtio_net; modprobe virtio_net; ip link set eth0 up; ip address add 10.1.0.2/24 dev eth0",
    );
    expect(await sh(first, "ping -c 2 -i 0.2 10.1.0.2")).toContain(" 0% packet loss");
  });

  it("has given the kernel nothing to warn of", async () => {
    for (const guest of [first, second]) {
      expect(await sh(guest, "dmesg -r | grep -E '^<[0-4]>' | grep -iE 'net|virtio|eth' || true")).toBe("");
    }
  });

  it("has written a capture", () => {
    const bytes = readFileSync(capture);
    expect(bytes.readUInt32LE(0)).toBe(0xa1b2_3c4d);
    expect(bytes.length).toBeGreaterThan(8_000_000);
  });
});
