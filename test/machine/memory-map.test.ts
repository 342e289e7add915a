// What lies behind RAM, and what cannot.
import { describe, expect, it } from "vitest";
import { parsePmem } from "../../src/cli/pmem-option.ts";
import { OptionError } from "../../src/errors.ts";
import { layOutMemory } from "../../src/machine/memory-map.ts";
import { parseHotplug } from "../../src/machine/memory-size.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

describe("memory behind RAM", () => {
  it("is nothing where nothing is asked for", () => {
    expect(layOutMemory(100 * MIB, 0, [])).toEqual({
      ...{ ramBytes: 100 * MIB, totalBytes: 100 * MIB, hotplug: undefined, pmem: [] },
    });
  });

  it("begins on boundaries that Linux wants", () => {
    const layout = layOutMemory(101 * MIB, 64 * MIB, [
      { name: "a", bytes: 2 * MIB },
      { name: "b", bytes: 6 * MIB },
    ]);
    expect(layout.hotplug).toEqual({ start: 128 * MIB, bytes: 64 * MIB });
    expect(layout.pmem).toEqual([
      { start: 192 * MIB, bytes: 2 * MIB },
      { start: 194 * MIB, bytes: 6 * MIB },
    ]);
    expect(layout.totalBytes).toBe(200 * MIB);
    expect(layOutMemory(101 * MIB, 0, [{ name: "a", bytes: 2 * MIB }]).pmem[0].start).toBe(102 * MIB);
  });

  it("fits into 3 GiB with RAM, or the message says what comes to what", () => {
    expect(layOutMemory(2 * GIB, GIB, []).totalBytes).toBe(3 * GIB);
    const tooMuch = () => layOutMemory(2 * GIB, 512 * MIB, [{ name: "big.img", bytes: 514 * MIB }]);
    expect(tooMuch).toThrow(OptionError);
    expect(tooMuch).toThrow("2048M of RAM, 512M to plug, 514M of pmem big.img come to 3074M");
  });

  it("is in whole blocks of 2 MiB", () => {
    expect(() => layOutMemory(GIB, 0, [{ name: "odd.img", bytes: 3 * MIB }])).toThrow("truncate -s 4M odd.img");
    expect(() => layOutMemory(GIB, 4096, [])).toThrow(OptionError);
    expect(parseHotplug("1G")).toBe(GIB);
    expect(parseHotplug(2 * MIB)).toBe(2 * MIB);
    for (const size of ["1M", "3M", "4G", "0", "x", -1, Number.NaN])
      expect(() => parseHotplug(size)).toThrow(OptionError);
  });
});

describe("--pmem", () => {
  it("is a file and settings", () => {
    expect(parsePmem("a.img")).toEqual({ path: "a.img", readOnly: false, overlay: false });
    expect(parsePmem("a,b.img,ro")).toEqual({ path: "a,b.img", readOnly: true, overlay: false });
    expect(parsePmem("a.img,overlay")).toEqual({ path: "a.img", readOnly: false, overlay: true });
  });

  it.each(["", "ro", "a.img,rw", "a.img,if=nvme", "a.img,ro,overlay"])("refuses %s", (text) => {
    if (text === "ro") expect(parsePmem(text).path).toBe("ro");
    else expect(() => parsePmem(text)).toThrow(OptionError);
  });
});
