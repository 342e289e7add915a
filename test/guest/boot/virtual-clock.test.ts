// With the virtual clock a run repeats to the instruction, whatever the host does meanwhile.
import { describe, expect, it } from "vitest";
import { createGuest } from "../../../src/index.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Boots, runs commands with `dawdle` between them, and says everything that must repeat. */
async function run(dawdle: () => Promise<void>) {
  const disk = new Uint8Array(4 * 1024 * 1024);
  let console = "";
  const guest = await createGuest({
    guest: "debian",
    exec: true,
    clock: "virtual",
    seed: 42,
    disks: [{ bytes: disk, if: "virtio" }],
    onConsole: (bytes) => {
      console += text(bytes);
    },
  });
  const outputs: string[] = [];
  for (const command of [
    "cat /proc/uptime; date; od -An -tx1 -N16 /dev/urandom; od -An -tx1 -N16 /dev/hwrng",
    "dd if=/dev/urandom of=/dev/vda bs=4k count=64 conv=fsync 2>/dev/null; sha256sum < /dev/vda",
    "sleep 1; cat /proc/uptime; cat /proc/interrupts",
  ]) {
    outputs.push(text((await guest.exec(command)).stdout));
    await dawdle();
  }
  const facts = {
    instructions: guest.instructions,
    seconds: guest.seconds,
    counters: guest.counters(),
    console,
    outputs,
  };
  guest.close();
  return facts;
}

describe("the virtual clock", () => {
  it("repeats instructions, exits, output and entropy", { timeout: 480_000 }, async () => {
    const first = await run(async () => {});
    const second = await run(() => new Promise((resolve) => setTimeout(resolve, 300)));
    expect(second).toEqual(first);
    expect(first.outputs[0]).toContain("Wed Jan  1 00:00:");
    expect(first.seconds).toBeGreaterThan(1);
  });
});
