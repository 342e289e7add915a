// One guest of ours and one of QEMU's on one wire, `stream`: 1 GiB each way through iperf3.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findQemu, qemuDisk } from "../../../bench/peer/qemu.ts";
import { QemuGuest } from "../../../bench/peer/qemu-guest.ts";
import { createGuest, type Guest, streamNet } from "../../../src/index.ts";
import { buildDebianGuest } from "../../../src/platform/node/debian/build.ts";
import { moveGibibyte, sh } from "./world.ts";

const [OURS, THEIRS] = ["10.0.7.1", "10.0.7.2"];

// Whoever waits for the other side, and which device QEMU's guest has.
describe.each([
  { server: "paravane", device: "virtio-net-pci" },
  { server: "qemu", device: "e1000" },
])("a guest of ours and QEMU's with $device on a wire, $server waits", { timeout: 1_800_000 }, ({ server, device }) => {
  const folder = mkdtempSync(join(tmpdir(), "paravane-wire-"));
  const path = join(folder, "wire");
  let ours: Guest;
  let theirs: QemuGuest;

  async function there(command: string): Promise<string> {
    const { status, stdout, stderr } = await theirs.exec(command);
    const text = new TextDecoder();
    if (status !== 0) throw new Error(`${command}: status ${status}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  }

  beforeAll(async () => {
    const files = await buildDebianGuest();
    const qemu = await findQemu(() => {});
    const backend = streamNet({ path, server: server === "paravane" });
    await backend.prepare();
    const wire = `stream,id=wire,server=${server === "qemu" ? "on" : "off"},addr.type=unix,addr.path=${path}`;
    const devices = ["-netdev", wire, "-device", `${device},netdev=wire,mac=02:00:00:00:00:02,romfile=`];
    theirs = new QemuGuest(qemu, files, "512M", [...qemuDisk(files.toolsDisk, "snapshot"), ...devices]);
    ours = await createGuest({
      guest: "debian",
      exec: true,
      tools: true,
      nets: [{ backend, mac: "02:00:00:00:00:01", address: `${OURS}/24` }],
    });
    await Promise.all([ours.ready(), theirs.ready()]);
    await there(`ip link set eth0 up; ip address add ${THEIRS}/24 dev eth0`);
    await sh(ours, `for i in $(seq 30); do ping -c 1 -W 1 ${THEIRS} >/dev/null && exit 0; done; exit 1`);
    await there("iperf3 -s -D >/dev/null 2>&1; sleep 1");
  }, 900_000);
  afterAll(() => {
    ours?.close();
    theirs?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(["", "-R"] as const)("moves 1 GiB with no byte lost (iperf3 %s)", async (direction) => {
    process.stderr.write(`wire to QEMU's ${device} ${direction}: ${await moveGibibyte(ours, THEIRS, direction)}\n`);
  });

  it("has given our guest's kernel nothing to warn of", async () => {
    expect(await sh(ours, "dmesg -r | grep -E '^<[0-4]>' | grep -iE 'net|virtio|eth|tcp' || true")).toBe("");
  });
});
