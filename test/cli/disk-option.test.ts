import { describe, expect, it } from "vitest";
import { parseDisk } from "../../src/cli/disk-option.ts";

describe("--disk", () => {
  it.each([
    ["a.img", { path: "a.img", readOnly: false, overlay: false }],
    ["a.img,if=nvme", { path: "a.img", if: "nvme", readOnly: false, overlay: false }],
    ["a.img,ro,if=virtio", { path: "a.img", if: "virtio", readOnly: true, overlay: false }],
    ["a.img,if=ahci", { path: "a.img", if: "ahci", readOnly: false, overlay: false }],
    ["a.img,if=nvme,dbbuf=on", { path: "a.img", if: "nvme", readOnly: false, overlay: false, doorbellBuffer: true }],
    ["a.img,if=nvme,dbbuf=off", { path: "a.img", if: "nvme", readOnly: false, overlay: false }],
    ["a.img,if=nvme,overlay", { path: "a.img", if: "nvme", readOnly: false, overlay: true }],
    [
      "a.img,transport=pci,queues=4,ring=packed,indirect=on,notify=data",
      {
        path: "a.img",
        if: "virtio",
        readOnly: false,
        overlay: false,
        transport: "pci",
        queues: 4,
        ring: "packed",
        indirect: true,
        notificationData: true,
      },
    ],
    ["with, comma.img,ro", { path: "with, comma.img", readOnly: true, overlay: false }],
  ])("reads %s", (text, expected) => {
    expect(parseDisk(text)).toEqual(expected);
  });

  it.each([
    ["a.img,if=scsi", /"if=scsi" is not known: write if=nvme, if=ahci, if=virtio, ro, overlay, dbbuf=on, dbbuf=off/],
    ["a.img,rw", /"rw" is not known/],
    ["a.img,if=nvme,if=virtio", /not both/],
    ["a.img,transport=pci,transport=mmio", /transport can be pci or mmio, not both/],
    ["a.img,queues=2,queues=3", /queues is given twice/],
    ["a.img,queues=many", /"queues=many" is not known/],
    ["a.img,if=ahci,dbbuf=on", /write if=nvme too/],
    ["a.img,if=nvme,dbbuf=on,dbbuf=off", /not both/],
    ["a.img,ro,overlay", /exclude each other/],
    [",ro", /needs a file/],
  ])("refuses %s", (text, message) => {
    expect(() => parseDisk(text)).toThrow(message);
  });
});
