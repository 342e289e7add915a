// paravane devices: the catalogue, for people and for scripts.
import { expect, it } from "vitest";
import { CATALOGUE } from "../../src/machine/catalogue.ts";
import { paravane } from "./cli.ts";

it("prints a line a row, the name of a function once", async () => {
  const { status, stdout, stderr } = await paravane("devices");
  expect([status, stderr]).toEqual([0, ""]);
  const lines = stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(1 + CATALOGUE.length);
  expect(lines[0]).toMatch(/^function +form +device +specification +Linux driver +option$/);
  expect(stdout).toMatch(/^block +emulated +nvme +NVM Express 1.4c +nvme +CONFIG_BLK_DEV_NVME$/m);
  expect(stdout).toMatch(/^ +paravirt +virtio-blk +virtio 1.2, 5.2 +virtio_blk +CONFIG_VIRTIO_BLK$/m);
});

it("gives scripts the same as JSON", async () => {
  const { status, stdout } = await paravane("devices", "--json");
  expect(status).toBe(0);
  const rows = JSON.parse(stdout) as Record<string, string>[];
  expect(rows).toHaveLength(CATALOGUE.length);
  for (const row of rows) {
    expect(Object.keys(row)).toEqual(["function", "form", "device", "spec", "driver", "config"]);
    expect(row.form).toMatch(/^(emulated|paravirt|direct)$/);
    for (const [key, value] of Object.entries(row)) if (key !== "config") expect(value, key).not.toBe("");
    expect(row.config === "", row.device).toBe(/^(firmware|none)/.test(row.driver));
  }
});
