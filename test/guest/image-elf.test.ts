import { describe, expect, it } from "vitest";
import { dynamicNeeds, moduleInfo } from "../../src/image/elf-metadata.ts";
import { ImageError } from "../../src/image/file-tree.ts";
import { kernelModule, sharedObject } from "./elf-files.ts";

describe("what a shared object needs", () => {
  const object = sharedObject({
    needed: ["libc.so.6", "libfoo.so.1"],
    runPath: "/usr/lib/private:/opt/lib",
    soname: "libbar.so.2",
    interpreter: "/lib/ld.so",
  });

  it("is read from the dynamic section", () => {
    expect(dynamicNeeds(object)).toEqual({
      needed: ["libc.so.6", "libfoo.so.1"],
      runPath: ["/usr/lib/private", "/opt/lib"],
      soname: "libbar.so.2",
      interpreter: "/lib/ld.so",
    });
  });

  it("is refused when the file is cut or no ELF file, never read outside", () => {
    for (let length = 0; length < object.length; length++) {
      expect(() => dynamicNeeds(object.subarray(0, length)), `cut to ${length}`).toThrow(ImageError);
    }
    expect(() => dynamicNeeds(new TextEncoder().encode("#!/bin/sh\n".repeat(10)))).toThrow(ImageError);
  });

  it("survives any damaged byte", () => {
    for (let at = 0; at < object.length; at++) {
      const damaged = object.slice();
      damaged[at] ^= 0xff;
      try {
        dynamicNeeds(damaged);
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(ImageError);
      }
    }
  });
});

describe("what a kernel module says of itself", () => {
  const module = kernelModule({ name: "nvme", depends: "nvme-core,x", alias: ["pci:v*", "nvme-pci"] });

  it("is read from .modinfo", () => {
    expect(moduleInfo(module)).toEqual({ name: "nvme", depends: ["nvme-core", "x"], aliases: ["pci:v*", "nvme-pci"] });
    expect(moduleInfo(kernelModule({ name: "loop", depends: "", alias: [] })).depends).toEqual([]);
  });

  it("is refused where there is none", () => {
    expect(() => moduleInfo(sharedObject({ needed: [] }))).toThrow(".modinfo");
    for (let length = 0; length < module.length; length++) {
      expect(() => moduleInfo(module.subarray(0, length)), `cut to ${length}`).toThrow(ImageError);
    }
  });
});
