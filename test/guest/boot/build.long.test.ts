// A build inside the guest: Debian's gcc compiles the benchmarks' kernels at every level, and each
// program runs. Objects, programs and checksums are QEMU's to the byte.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DebianMachine } from "../../../bench/debian/machines.ts";
import { KERNELS } from "../../../bench/kernels/catalogue.ts";
import { findQemu } from "../../../bench/peer/qemu.ts";
import { buildDebianGuest } from "../../../src/platform/node/debian/build.ts";
import { buildRootDisk } from "../../../src/platform/node/debian/root-disk.ts";

const BOOT = 600_000;
const RUN = 1_500_000;
const LEVELS = ["-O0", "-O1", "-O2", "-O3", "-Os"];

const folder = new URL("../../../bench/kernels/", import.meta.url);
const sources = readdirSync(folder).filter((name) => /\.[ch]$/.test(name) && name !== "main-bare.c");
const shared = ["main-hosted.c", "support.c"];
/** Those that run under Linux, and one that does nothing. */
const kernels = [...KERNELS.map(({ name }) => name), "empty"];

const build = (level: string) => `
for name in ${kernels.join(" ")}; do
  for part in $name.c ${shared.join(" ")}; do
    gcc ${level} -std=gnu11 -fno-math-errno -DITERATIONS=2 -c $part -o $name-\${part%.c}.o || exit
  done
  gcc $name-*.o -o $name -lm || exit
  echo $name $(./$name | cut -d' ' -f1) $(cat $name-*.o $name | sha256sum)
done >result`;

describe("a build inside the guest", () => {
  const machines: DebianMachine[] = [];

  beforeAll(async () => {
    const guest = await buildDebianGuest();
    const { image } = await buildRootDisk(guest);
    machines.push(await DebianMachine.ours(image));
    machines.push(await DebianMachine.qemu(await findQemu(() => {}), guest, image));
  }, BOOT);
  afterAll(() => {
    for (const machine of machines) machine.close();
  });

  it.each(LEVELS)(
    "%s",
    async (level) => {
      const files = Object.fromEntries(sources.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]));
      const program = { name: `build ${level}`, files, command: build(level) };
      const results: string[] = [];
      for (const machine of machines) {
        await machine.prepare(program);
        const { milliseconds, result } = await machine.run({ ...program, rate: { unit: "", read: Number } });
        console.log(`${level}: ${(milliseconds / 1000).toFixed(0)} s`);
        results.push(result);
      }
      const [ours, theirs] = results;
      expect(ours?.split("\n").length).toBe(kernels.length + 1);
      expect(ours).toBe(theirs);
    },
    RUN,
  );
});
