import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readKernel, readProgram } from "../../src/image/kernel.ts";
import { BootError } from "../../src/machine/boot-error.ts";
import { elf, linuxImage, RAM_SEGMENT } from "./images.ts";

const at = (offset: number, text: string, length = 0x1000) => {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
  return bytes;
};

describe("a Linux Image", () => {
  it("is read as it is, gzip-packed or with PE headers", async () => {
    const bytes = linuxImage();
    expect(await readKernel(bytes)).toEqual({ kind: "linux", bytes, textOffset: 0x20_0000, imageSize: 0x10_0000 });
    expect(await readKernel(gzipSync(bytes))).toEqual({
      kind: "linux",
      bytes,
      textOffset: 0x20_0000,
      imageSize: 0x10_0000,
    });
    expect(await readKernel(linuxImage({ peSection: 0x2000 }))).toMatchObject({ kind: "linux" });
  });

  it("may be longer than its image_size says, as before Linux 4.6", async () => {
    expect(await readKernel(linuxImage({ imageSize: 0n }))).toMatchObject({ imageSize: 0x3000 });
  });

  it("may lie inside a larger buffer", async () => {
    const padded = new Uint8Array(0x4000);
    padded.set(linuxImage({ peSection: 0x2000 }), 0x800);
    expect(await readKernel(padded.subarray(0x800, 0x3800))).toMatchObject({ textOffset: 0x20_0000 });
  });

  it.each([
    ["an empty file", new Uint8Array(0), "vmlinux is empty"],
    [
      "a truncated Image",
      linuxImage({ peSection: 0x2001 }),
      "vmlinux is truncated: it has 12288 bytes and its headers speak of 12289",
    ],
    ["an Image cut in its PE headers", linuxImage({ peSection: 0x2000 }).subarray(0, 0x80), "is truncated"],
    ["an Image cut in its header", linuxImage().subarray(0, 0x3e), "is truncated"],
    ["a big-endian Image", linuxImage({ flags: 1 }), "big-endian"],
    ["a crooked text_offset", linuxImage({ textOffset: 0x201n }), "text_offset 0x201"],
    ["an Image that is PE for ARM64", linuxImage({ peSection: 0x10, peMachine: 0xaa64 }), "is a kernel for ARM64"],
    ["x86", at(0x202, "HdrS"), "vmlinux is an x86 kernel (bzImage: boot protocol HdrS at 0x202): give a RISC-V Image"],
    ["ARM64", at(0x38, "ARM\x64"), "an ARM64 kernel Image"],
    ["32-bit ARM", at(0x24, "\x18\x28\x6f\x01"), "a 32-bit ARM kernel"],
    ["EFI zboot", at(0, "MZ\0\0zimg"), "an EFI zboot kernel"],
    ["an EFI program", at(0, "MZ"), "a DOS program"],
    ["xz", at(0, "\xfd7zXZ\0"), "packed with xz: unpack it first"],
    ["zstd", at(0, "\x28\xb5\x2f\xfd"), "packed with zstd"],
    ["an initrd", at(0, "070701"), "a cpio archive"],
    ["a device tree", at(0, "\xd0\x0d\xfe\xed"), "a device tree"],
    ["a package", at(0, "!<arch>\n"), ".deb package"],
    ["a text", new TextEncoder().encode("hello"), "truncated: 5 bytes"],
    ["something else", at(0, "hello"), "neither a RISC-V Linux Image (no RSC\\x05 at 0x38) nor an ELF program"],
    ["damaged gzip", gzipSync(linuxImage()).subarray(0, 60), "damaged or truncated gzip"],
    ["gzip of x86", gzipSync(at(0x202, "HdrS")), "vmlinux (unpacked) is an x86 kernel"],
  ])("is not %s", async (_, bytes, message) => {
    const reading = readKernel(bytes, "vmlinux");
    await expect(reading).rejects.toThrow(BootError);
    await expect(reading).rejects.toThrow(message);
  });

  it("is never misread, whatever the first bytes are", async () => {
    let state = 1;
    const random = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0);
    const samples = [linuxImage({ peSection: 0x1800 }), elf(), elf({ segments: [RAM_SEGMENT, RAM_SEGMENT] })];
    for (let i = 0; i < 3000; i++) {
      const bytes = samples[i % samples.length].slice();
      for (let n = 0; n < 4; n++) bytes[random() % Math.min(bytes.length, 320)] = random() >>> 13;
      const part = bytes.subarray(0, i % 2 ? bytes.length : random() % bytes.length);
      try {
        const image = await readKernel(part);
        if (image.kind === "elf")
          for (const segment of image.segments) expect(segment.bytes.length).toBeLessThanOrEqual(segment.size);
        else expect(image.imageSize).toBeGreaterThanOrEqual(part.length);
      } catch (error) {
        if (!(error instanceof BootError)) throw error;
      }
    }
  });
});

describe("an ELF program", () => {
  it("is read by its segments, its entry by physical address", async () => {
    const high = { virtual: 0xffff_ffff_8000_0000n, physical: 0x8020_0000n, bytes: 0x40, size: 0x1000n };
    const program = await readKernel(elf({ segments: [RAM_SEGMENT, high], entry: 0xffff_ffff_8000_0080n }));
    expect(program).toMatchObject({
      kind: "elf",
      entry: 0x8020_0080,
      segments: [
        { gpa: 0x8000_0000, size: 0x2000 },
        { gpa: 0x8020_0000, size: 0x1000, bytes: new Uint8Array(0x40).fill(2) },
      ],
    });
  });

  it.each([
    ["of x86-64", elf({ machine: 62 }), "is an ELF file for x86-64: give one built for 64-bit RISC-V"],
    ["of an unknown machine", elf({ machine: 9999 }), "for machine number 9999"],
    ["of 32 bits", elf({ class: 1 }), "for 32-bit RISC-V"],
    ["of big-endian", elf({ data: 2 }), "big-endian"],
    ["unlinked", elf({ type: 1 }), "not an executable"],
    ["cut short", elf().subarray(0, 200), "truncated: it has 200 bytes and its headers speak of 376"],
    ["cut in its header", elf().subarray(0, 40), "truncated"],
    ["without segments", elf({ segments: [] }), "without segments"],
    ["with its entry outside", elf({ entry: 0x9000_0000n }), "entry 0x9000_0000 lies in none of its segments"],
    ["larger in the file than in memory", elf({ segments: [{ ...RAM_SEGMENT, size: 0x80n }] }), "segment 0 is larger"],
  ])("is refused: %s", async (_, bytes, message) => {
    await expect(readKernel(bytes)).rejects.toThrow(BootError);
    await expect(readKernel(bytes)).rejects.toThrow(message);
  });

  it("may be raw where a boot stage is meant", () => {
    const bytes = at(0, "\x2a\x82");
    expect(readProgram(bytes, "u-boot")).toEqual({ kind: "raw", bytes });
    expect(readProgram(elf(), "firmware").kind).toBe("elf");
    expect(() => readProgram(new Uint8Array(0), "firmware")).toThrow("firmware is empty");
    expect(() => readProgram(elf({ machine: 183 }), "firmware")).toThrow("for ARM64");
  });
});
