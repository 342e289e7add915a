// Configurations of kernels that are built here.
import { expect, it } from "vitest";
import { configFragment, missingOptions } from "../../src/platform/node/debian/kernel-config.ts";

it.each(["paravirt", "small"] as const)("%s: every line sets one symbol, each once", (name) => {
  const lines = configFragment(name).trimEnd().split("\n");
  const symbols = lines.map((line) => /^(?:(CONFIG_\w+)=\w+|# (CONFIG_\w+) is not set)$/.exec(line)?.slice(1).join(""));
  expect(symbols.filter((symbol) => !symbol)).toEqual([]);
  expect(new Set(symbols).size).toBe(symbols.length);
});

it("the paravirtual one has what Debian's kernel leaves out", () => {
  const fragment = configFragment("paravirt");
  for (const symbol of [
    "PARAVIRT",
    "PARAVIRT_TIME_ACCOUNTING",
    "HVC_RISCV_SBI",
    "VIRTIO_MEM",
    "MEMCG",
    "VIRTIO_RTC",
    "FS_DAX",
  ]) {
    expect(fragment).toContain(`\nCONFIG_${symbol}=y\n`);
  }
});

it("tells which options a source did not take", () => {
  const taken = `\n${configFragment("small").replace(/^# .*$/gm, "")}`;
  expect(missingOptions("small", taken)).toEqual([]);
  expect(missingOptions("small", taken.replace("CONFIG_EXT4_FS=y", "# CONFIG_EXT4_FS is not set"))).toEqual([
    "CONFIG_EXT4_FS",
  ]);
  expect(missingOptions("small", `${taken}CONFIG_EFI=y\n`)).toEqual(["CONFIG_EFI"]);
  expect(missingOptions("small", taken.replace("CONFIG_CRYPTO_CRC32C=y\n", ""))).toEqual([]);
});
