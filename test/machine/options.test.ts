import { describe, expect, it } from "vitest";
import { Ext } from "../../assembly/abi/ext.ts";
import { OptionError } from "../../src/errors.ts";
import {
  ALL_EXTENSIONS,
  hasExtension,
  isaExtensions,
  isaString,
  listExtensions,
  mmuType,
  parseCpu,
  withIrqchip,
} from "../../src/machine/cpu.ts";
import { parseMemory } from "../../src/machine/memory-size.ts";

describe("--cpu", () => {
  it("has everything unless told otherwise", () => {
    expect(parseCpu("rv64")).toBe(ALL_EXTENSIONS);
    expect(isaString(ALL_EXTENSIONS)).toBe(
      "rv64imafdc_zicbom_zicbop_zicboz_zicntr_zicsr_zifencei_zihintpause_zihpm_zba_zbb_zbs_zkr_smaia_ssaia_sstc_svadu_svinval_svnapot_svpbmt_svvptc",
    );
    expect(mmuType(ALL_EXTENSIONS)).toBe("riscv,sv57");
  });

  it("takes extensions away and gives them back", () => {
    const bits = parseCpu("RV64,sstc=off,zbb=off,zbb=on");
    expect(hasExtension(bits, Ext.SSTC)).toBe(false);
    expect(bits).toBe(ALL_EXTENSIONS & ~(1n << BigInt(Ext.SSTC)));
    expect(mmuType(parseCpu("rv64,sv57=off,sv48=off"))).toBe("riscv,sv39");
  });

  it("has the Advanced Interrupt Architecture beside its interrupt controllers alone", () => {
    const names = (irqchip: "plic" | "aia") => isaExtensions(withIrqchip(ALL_EXTENSIONS, irqchip));
    expect(names("aia")).toEqual(isaExtensions(ALL_EXTENSIONS));
    expect(names("plic")).toEqual(names("aia").filter((name) => !["smaia", "ssaia"].includes(name)));
    const without = parseCpu("rv64,ssaia=off");
    expect(withIrqchip(without, "plic")).toBe(withIrqchip(ALL_EXTENSIONS, "plic"));
    expect(() => withIrqchip(without, "aia")).toThrow(/smaia and ssaia, and one is off: leave them on, or take plic/);
  });

  it("says Svade where Svadu is off", () => {
    expect(isaExtensions(parseCpu("rv64,svadu=off")).join(" ")).toContain("sstc svade svinval");
    expect(isaExtensions(ALL_EXTENSIONS)).not.toContain("svade");
    const virtual = listExtensions().filter(({ name }) => name.startsWith("sv"));
    const none = parseCpu(`rv64,${virtual.map(({ name }) => `${name}=off`).join(",")}`);
    expect(isaExtensions(none).at(-1)).toBe("svade");
  });

  it("can take away each extension that is not needed always, together with what needs it", () => {
    for (const { name, removable } of listExtensions()) {
      let text = `rv64,${name}=off`;
      for (let i = 0; removable && i < 5; i++) {
        try {
          parseCpu(text);
          break;
        } catch (error) {
          text += `,${/add (\w+=off)/.exec((error as Error).message)![1]}`;
        }
      }
      if (removable) expect(isaExtensions(parseCpu(text))).not.toContain(name);
      else expect(() => parseCpu(text)).toThrow(`${name} cannot be off`);
    }
  });

  it.each([
    ["rv32", 'cpu "rv32" is not known: write rv64'],
    ["rv64,zbc=off", 'cpu extension "zbc" is not known: the machine has i, m, a'],
    ["rv64,sstc", 'cpu setting "sstc" is not understood: write NAME=on or NAME=off'],
    ["rv64,sstc=no", "is not understood"],
    ["rv64,", 'cpu setting "" is not understood'],
    ["rv64,f=off", "cpu extension d needs f, which is off: add d=off or leave f on"],
    ["rv64,sv48=off", "sv57 needs sv48"],
    ["rv64,s=off", "s cannot be off"],
  ])("refuses %s", (text, message) => {
    expect(() => parseCpu(text)).toThrow(OptionError);
    expect(() => parseCpu(text)).toThrow(message);
  });
});

describe("--memory", () => {
  it.each([
    ["512M", 512 * 2 ** 20],
    ["3G", 3 * 2 ** 30],
    ["1.5g", 1.5 * 2 ** 30],
    ["256", 256 * 2 ** 20],
    ["65536K", 64 * 2 ** 20],
    ["512MiB", 512 * 2 ** 20],
  ])("reads %s", (text, bytes) => {
    expect(parseMemory(text)).toBe(bytes);
  });

  it.each([
    ["9G", 'memory "9G" is more than the machine can have: at most 3072M'],
    ["99999999999999999999G", "at most 3072M"],
    ["1M", "at least 4M"],
    ["0", "at least 4M"],
    ["4097.5K", "whole number of 4 KiB pages"],
    ["lots", 'memory "lots" is not a size'],
    ["-5M", "is not a size"],
    ["", "is not a size"],
  ])("refuses %s", (text, message) => {
    expect(() => parseMemory(text)).toThrow(OptionError);
    expect(() => parseMemory(text)).toThrow(message);
  });
});
