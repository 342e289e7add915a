// The host process is killed at random moments: what the guest was told is durable on persistent
// memory is in the file.
import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { collect, start } from "../../cli/cli.ts";
import { DiskFolder, MIB } from "./file-disks.ts";

const folder = new DiskFolder();
afterAll(() => folder.remove());

it.each([1, 2, 3])("kill -9 loses nothing that was flushed (%d)", async (round) => {
  const file = folder.create(`pmem-${round}.img`, 2 * MIB);
  // A number is said when the fsync of its block has ended.
  const command =
    "i=0; while :; do i=$((i + 1)); printf %512s $i | dd of=/dev/pmem0 bs=512 seek=$i conv=fsync 2>/dev/null || exit; echo $i; done";
  const child = start(["run", "--quiet", "--pmem", file, "--exec", command]);
  const ended = collect(child);
  let said = "";
  const least = 20 + Math.floor(Math.random() * 100);
  child.stdout.on("data", (chunk) => {
    said += chunk;
    if (said.split("\n").length > least) child.kill("SIGKILL");
  });
  const { stdout } = await ended;
  // The last line may be cut.
  const flushed = stdout.split("\n").slice(0, -1).map(Number);
  expect(flushed.length).toBeGreaterThanOrEqual(least);
  const bytes = readFileSync(file);
  expect(flushed.map((i) => Number(bytes.toString("latin1", i * 512, (i + 1) * 512)))).toEqual(flushed);
});
