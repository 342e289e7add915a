// Device trees, read: ours and dtc's whole, strangers' damaged in every way.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { ImageError } from "../../src/image/file-tree.ts";
import { isAvailable, readDeviceTree, treeStrings } from "../../src/image/read-device-tree.ts";
import { encodeDeviceTree, node } from "../../src/machine/device-tree.ts";
import { DTC_MISSING } from "../machine/dtc.ts";

const TREE = node("", { "#address-cells": 2, compatible: ["a,board", "b,board"] }, [
  node("soc", { status: "okay" }, [
    node("serial@10000000", { compatible: "ns16550a", reg: [0, 0x1000_0000] }),
    node("off", { status: "disabled" }, [node("below", { compatible: "x" })]),
  ]),
  node("empty", {}),
]);
const blob = encodeDeviceTree(TREE, { slack: 100 });
const at = (bytes: Uint8Array, name: string) => readDeviceTree(bytes).find((it) => it.name === name);

describe("a device tree", () => {
  it("is read as it was written", () => {
    const nodes = readDeviceTree(blob);
    expect(nodes.map(({ name, parent }) => [name, parent?.name])).toEqual([
      ["", undefined],
      ["soc", ""],
      ["serial@10000000", "soc"],
      ["off", "soc"],
      ["below", "off"],
      ["empty", ""],
    ]);
    expect(treeStrings(nodes[0].properties.get("compatible"))).toEqual(["a,board", "b,board"]);
    expect([...(nodes[2].properties.get("reg") ?? [])]).toEqual([0, 0, 0, 0, 0x10, 0, 0, 0]);
    expect(nodes.map(isAvailable)).toEqual([true, true, true, false, false, true]);
  });

  it.skipIf(DTC_MISSING !== undefined)("is read as dtc made it, in any of its versions", () => {
    const source = '/dts-v1/; / { model = "m"; a { b@1 { compatible = "c", "d"; }; }; };';
    for (const args of [[], ["-V", "16"], ["-S", "4096"]]) {
      const { stdout, status } = spawnSync("dtc", ["-I", "dts", "-O", "dtb", "-q", ...args], { input: source });
      expect(status).toBe(0);
      expect(treeStrings(at(stdout, "b@1")?.properties.get("compatible"))).toEqual(["c", "d"]);
    }
  });
});

describe("a damaged device tree", () => {
  it("is refused in words", () => {
    expect(() => readDeviceTree(new Uint8Array(100))).toThrow("is no flattened device tree: give a .dtb file");
    const patched = (offset: number, value: number) => {
      const bytes = blob.slice();
      new DataView(bytes.buffer).setUint32(offset, value);
      return bytes;
    };
    expect(() => readDeviceTree(patched(4, 1e9))).toThrow(/1000000000 bytes are announced/);
    expect(() => readDeviceTree(patched(8, 0xffff_fff0))).toThrow(/structure block leaves the file/);
    expect(() => readDeviceTree(patched(12, 0xffff_fff0))).toThrow(/strings block leaves the file/);
    expect(() => readDeviceTree(patched(24, 18))).toThrow(/version after 17/);
  });

  it("is refused where nodes lie deeper than any that is real", () => {
    let deep = node("x", {});
    for (let i = 0; i < 100; i++) deep = node("x", {}, [deep]);
    expect(() => readDeviceTree(encodeDeviceTree(deep))).toThrow(/more than 64 deep/);
  });

  it("comes to an end wherever it is cut and whatever is changed in it", () => {
    for (let length = 0; length < blob.length - 100; length++) {
      expect(() => readDeviceTree(blob.subarray(0, length))).toThrow(ImageError);
    }
    let state = 7;
    const next = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    for (let run = 0; run < 3000; run++) {
      const bytes = blob.slice();
      for (let i = 0; i <= next(4); i++) bytes[next(bytes.length)] = next(256);
      try {
        expect(readDeviceTree(bytes).length).toBeLessThan(20);
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
      }
    }
  });
});
