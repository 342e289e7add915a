import { describe, expect, it } from "vitest";
import { cells64, encodeDeviceTree, node } from "../../src/machine/device-tree.ts";
import { DTC_MISSING, decompile } from "./dtc.ts";

const sample = () =>
  node(
    "",
    {
      compatible: ["a,b", "c"],
      model: "m",
      empty: true,
      cell: 7,
      cells: [1, 0xffff_ffff],
      bytes: Uint8Array.of(1, 2, 3),
    },
    [node("child@10", { compatible: "d", wide: cells64(0x4_0000_0008) })],
  );

describe("flattened device tree", () => {
  it("has the header, blocks and alignment of version 17", () => {
    const blob = encodeDeviceTree(sample(), { bootHart: 3, slack: 100 });
    const view = new DataView(blob.buffer);
    const [magic, total, structure, strings, reservations, version, compatible, hart, stringsSize, structureSize] =
      Array.from({ length: 10 }, (_, i) => view.getUint32(i * 4));
    expect([magic, total, version, compatible, hart]).toEqual([0xd00dfeed, blob.length, 17, 16, 3]);
    expect(reservations % 8).toBe(0);
    expect([view.getBigUint64(reservations), view.getBigUint64(reservations + 8)]).toEqual([0n, 0n]);
    expect(structure % 4).toBe(0);
    expect(structure + structureSize).toBe(strings);
    expect(strings + stringsSize + 100).toBe(total);
    expect(view.getUint32(strings - 4)).toBe(9);
    const names = new TextDecoder().decode(blob.subarray(strings, strings + stringsSize));
    expect(names.split("compatible").length).toBe(2);
  });

  it("gives the same bytes for the same tree", () => {
    expect(encodeDeviceTree(sample())).toEqual(encodeDeviceTree(sample()));
  });

  it("refuses a cell that is none", () => {
    expect(() => encodeDeviceTree(node("", { a: 2 ** 32 }))).toThrow(RangeError);
    expect(() => encodeDeviceTree(node("", { a: [-1] }))).toThrow(RangeError);
  });

  it("reads back in dtc", ({ skip }) => {
    if (DTC_MISSING !== undefined) {
      if (process.env.CI) throw new Error(DTC_MISSING);
      skip(DTC_MISSING);
    }
    const { source } = decompile(encodeDeviceTree(sample(), { slack: 64 }));
    for (const line of [
      'compatible = "a,b\\0c";',
      "empty;",
      "cell = <0x07>;",
      "cells = <0x01 0xffffffff>;",
      "bytes = [01 02 03];",
      "wide = <0x04 0x08>;",
    ]) {
      expect(source).toContain(line);
    }
  });
});
