// 100,000 file operations through 9P lose nothing, with the guest's caches off and on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createGuest, type Guest } from "../../../src/index.ts";
import { run } from "./file-disks.ts";
import { fileOperations } from "./share-operations.ts";

const folder = mkdtempSync(join(tmpdir(), "paravane-shares-long-"));
let guest: Guest;

beforeAll(async () => {
  guest = await createGuest({ guest: "debian", exec: true, memory: "1G", shares: [{ path: folder, tag: "long" }] });
  await guest.ready();
}, 300_000);

afterAll(() => {
  guest?.close();
  rmSync(folder, { recursive: true, force: true });
});

it.each(["none", "mmap", "loose"])("100,000 file operations, cache=%s", { timeout: 1_800_000 }, async (cache) => {
  const options = `trans=virtio,version=9p2000.L,msize=512000,cache=${cache}`;
  const mounted = await run(guest, `mkdir -p /long; modprobe 9p; mount -t 9p -o ${options} long /long`);
  expect(mounted).toEqual({ status: 0, output: "" });
  await fileOperations(guest, folder, "/long", 100_000);
  expect(await run(guest, "umount /long")).toEqual({ status: 0, output: "" });
});
