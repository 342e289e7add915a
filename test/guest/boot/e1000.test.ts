// Debian's e1000 and e1000e on their controllers, in one guest with 3 GiB of memory, of which
// the 82540EM cannot reach the third that lies above 4 GiB: two networks, a controller each, against hosts that
// answer ARP and ping; and the two wired to each other, across a network namespace.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NetOffload } from "../../../assembly/abi/net.ts";
import { createGuest, type Guest, type NetBackend, type NetFrame, type NetGuest } from "../../../src/index.ts";

/** One end of a wire between two devices of the same guest; frames are handed on as they are. */
class Wire implements NetBackend {
  readonly name = "wire";
  readonly accepts = NetOffload.CHECKSUM | NetOffload.TSO4 | NetOffload.TSO6;
  other: Wire | undefined;
  /** Frames taken from the device, those that were still to be cut among them, and those that found no room. */
  frames = 0;
  uncut = 0;
  lost = 0;
  #guest: NetGuest | undefined;
  readonly #waiting: NetFrame[] = [];

  open(guest: NetGuest): void {
    this.#guest = guest;
  }

  send(frame: NetFrame): void {
    this.frames++;
    if (frame.offload?.segment !== undefined) this.uncut++;
    this.other?.take(frame);
  }

  take(frame: NetFrame): void {
    if (this.#guest === undefined) return;
    if (this.#waiting.length === 0 && this.#guest.deliver(frame)) return;
    const bytes = new Uint8Array(frame.length);
    let at = 0;
    for (const part of frame.parts) {
      bytes.set(part, at);
      at += part.length;
    }
    if (this.#waiting.length < 1000)
      this.#waiting.push({ parts: [bytes], length: frame.length, offload: frame.offload });
    else this.lost++;
  }

  ready(): void {
    while (this.#waiting.length > 0 && this.#guest?.deliver(this.#waiting[0])) this.#waiting.shift();
  }

  setLink(up: boolean): void {
    this.#guest?.setLink(up);
  }

  close(): void {}
}

const [left, right] = [new Wire(), new Wire()];
left.other = right;
right.other = left;
let guest: Guest;
/** Names of the interfaces, by driver. */
const name: Record<string, string> = {};

async function sh(command: string): Promise<string> {
  const { status, stdout, stderr } = await guest.exec(command, { timeout: 120_000 });
  const text = new TextDecoder();
  if (status !== 0) throw new Error(`${command}: status ${status}: ${text.decode(stderr)}${text.decode(stdout)}`);
  return text.decode(stdout);
}

/** A command on the far side. */
const far = (command: string) => sh(`nsenter -t $(cat /tmp/far) -n ${command}`);

/** Puts the 82574L into a namespace of its own, and gives both ends addresses. */
async function connect(): Promise<void> {
  await sh(
    `[ -e /tmp/far ] || { unshare -n sleep 100000 >/dev/null 2>&1 & echo $! >/tmp/far; sleep 0.3; }
     ip link set ${name.e1000e} netns $(cat /tmp/far)
     ip addr flush dev ${name.e1000}; ip addr add 10.5.0.1/24 dev ${name.e1000}; ip link set ${name.e1000} up`,
  );
  await far(`ip addr add 10.5.0.2/24 dev ${name.e1000e}`);
  await far(`ip link set ${name.e1000e} up`);
  await sh(`for i in $(seq 50); do [ "$(cat /sys/class/net/${name.e1000}/carrier)" = 1 ] && break; sleep 0.1; done`);
  await sh("for i in $(seq 20); do ping -c 1 -W 1 10.5.0.2 >/dev/null && exit 0; done; exit 1");
}

beforeAll(async () => {
  guest = await createGuest({
    guest: "debian",
    exec: true,
    tools: true,
    memory: "3G",
    nets: [
      { backend: left, model: "e1000", mac: "02:00:00:00:00:0a" },
      { backend: right, model: "e1000e", mac: "02:00:00:00:00:0b" },
    ],
  });
  await guest.ready();
  await sh("modprobe e1000; modprobe e1000e");
  for (const driver of ["e1000", "e1000e"]) {
    name[driver] = (await sh(`basename $(echo /sys/bus/pci/drivers/${driver}/0*/net/*)`)).trim();
  }
}, 300_000);

afterAll(() => guest?.close());

describe("Intel's controllers in Debian", { timeout: 240_000 }, () => {
  it("have their addresses and EEPROMs, as ethtool reads them", async () => {
    for (const [driver, last, device] of [
      ["e1000", "0a", "100e"],
      ["e1000e", "0b", "10d3"],
    ]) {
      expect(await sh(`cat /sys/class/net/${name[driver]}/address`)).toBe(`02:00:00:00:00:${last}\n`);
      expect(await sh(`ethtool -i ${name[driver]}`)).toContain(`driver: ${driver}\n`);
      const dump = await sh(`ethtool -e ${name[driver]} length 32`);
      expect(dump).toMatch(new RegExp(`0x0000:\\s+02 00 00 00 00 ${last}`));
      expect(dump).toMatch(new RegExp(`${device.slice(2)} ${device.slice(0, 2)} 86 80`));
      const features = await sh(`ethtool -k ${name[driver]}`);
      // Linux leaves an 82540EM's receive checksums off until it is asked.
      const receive = driver === "e1000" ? [] : ["rx-checksumming"];
      for (const feature of [...receive, "tx-checksumming", "tcp-segmentation-offload", "rx-vlan-offload"]) {
        expect(features, driver).toContain(`${feature}: on`);
      }
    }
  });

  it("reach each other, with 32 bits of DMA in 3 GiB, and move data whole", async () => {
    await connect();
    await sh("head -c 16000000 /dev/urandom >/tmp/data; sha256sum </tmp/data >/tmp/sum");
    // nc ends when its peer has; so whoever takes must not be the first to have said all.
    const enter = "nsenter -t $(cat /tmp/far) -n sh -c";
    await sh(`${enter} 'sleep 90 | nc -l -p 7000 >/tmp/there' >/dev/null 2>&1 & sleep 1; nc 10.5.0.2 7000 </tmp/data`);
    // Whoever sent has ended; what it sent may still be on its way into the file.
    const arrived = (path: string) =>
      sh(`for i in $(seq 300); do [ $(stat -c %s ${path}) = 16000000 ] && break; sleep 0.1; done; sha256sum <${path}`);
    expect(await arrived("/tmp/there")).toBe(await sh("cat /tmp/sum"));
    await sh(`(sleep 90 | nc -l -p 7001 >/tmp/here) >/dev/null 2>&1 & sleep 1; ${enter} 'nc 10.5.0.1 7001 </tmp/data'`);
    expect(await arrived("/tmp/here")).toBe(await sh("cat /tmp/sum"));
    // Both ways drivers gave segments that were still to be cut; how many depends on how fast acknowledgements come.
    expect(left.uncut).toBeGreaterThan(0);
    expect(right.uncut).toBeGreaterThan(0);
    expect(left.lost + right.lost).toBe(0);
    // Linux copied what lay too high for it (swiotlb), at most so much at a time.
    await sh("mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug");
    expect(Number(await sh("cat /sys/kernel/debug/swiotlb/io_tlb_used_hiwater"))).toBeGreaterThan(0);
    expect(await sh(`ethtool -S ${name.e1000}`)).toMatch(/tx_tcp_seg_good: [1-9]/);
  });

  it("carry large packets", async () => {
    await far(`ip link set ${name.e1000e} mtu 9000`);
    await sh(`ip link set ${name.e1000} mtu 9000`);
    await sh("for i in $(seq 20); do ping -c 1 -W 1 -s 8900 10.5.0.2 >/dev/null && exit 0; done; exit 1");
  });

  it("notice a cable that is pulled out", async () => {
    const carrier = (want: string) =>
      sh(
        `for i in $(seq 80); do [ "$(cat /sys/class/net/${name.e1000}/carrier)" = ${want} ] && exit 0; sleep 0.1; done; exit 1`,
      );
    left.setLink(false);
    await carrier("0");
    left.setLink(true);
    await carrier("1");
    await sh("for i in $(seq 20); do ping -c 1 -W 1 10.5.0.2 >/dev/null && exit 0; done; exit 1");
  });

  it("come back after their drivers were taken away", async () => {
    await sh("kill $(cat /tmp/far); rm /tmp/far; modprobe -r e1000 e1000e; modprobe e1000; modprobe e1000e; sleep 1");
    for (const driver of ["e1000", "e1000e"]) {
      name[driver] = (await sh(`basename $(echo /sys/bus/pci/drivers/${driver}/0*/net/*)`)).trim();
    }
    await connect();
    expect(await sh("ping -c 2 -i 0.2 10.5.0.2")).toContain(" 0% packet loss");
  });

  it("have given the kernel nothing to warn of", async () => {
    expect(await sh("dmesg -r | grep -E '^<[0-4]>' | grep -iE 'e1000|eth|net' || true")).toBe("");
  });
});
