import { describe, expect, it } from "vitest";
import { parseNet } from "../../src/cli/net-option.ts";
import { parseSettings } from "../../src/cli/settings.ts";
import { OptionError } from "../../src/errors.ts";
import { addressWay, macOf, openNet } from "../../src/guest/net-options.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";

describe("--net", () => {
  it("takes a network's name alone", () => {
    expect(parseNet("none")).toEqual({ backend: "none" });
  });

  it("takes all that a device can have", () => {
    const text =
      "none,model=virtio,transport=mmio,mac=52:54:00:aa:bb:cc,mtu=9000,queues=4,address=10.0.0.1/24,pcap=/tmp/a=b.pcap";
    expect(parseNet(text)).toEqual({
      backend: "none",
      model: "virtio",
      transport: "mmio",
      mac: "52:54:00:aa:bb:cc",
      mtu: 9000,
      queues: 4,
      address: "10.0.0.1/24",
      pcap: "/tmp/a=b.pcap",
    });
  });

  it.each([
    ["", /does not begin with a name/],
    ["model=virtio", /does not begin with a name/],
    ["nowhere", /network "nowhere" is not known: write/],
    ["toString", /is not known/],
    ["none,model=ne2000", /model is "ne2000": write virtio/],
    ["none,modle=virtio", /setting "modle" is not known: write .*model/],
    ["none,mac=52:54:00:12:34", /is no MAC address/],
    ["none,mac=53:54:00:12:34:56", /is a group's/],
    ["none,mac=00:00:00:00:00:00", /no device's/],
    ["none,mtu=big", /mtu is "big": write a whole number/],
    ["none,queues=9", /queues is 9/],
    ["none,queues=0", /queues is 0/],
    ["none,queues=2,queues=3", /queues is given 2 times/],
    ["none,address=10.0.0.1", /length of its prefix/],
    ["none,address=10.0.0.256/24", /length of its prefix/],
    ["none,transport=usb", /transport is "usb": write pci or mmio/],
    ["none,,mtu=9000", /empty setting/],
  ])("refuses %j", (text, message) => {
    expect(() => parseNet(text)).toThrow(OptionError);
    expect(() => parseNet(text)).toThrow(message);
  });
});

describe("settings", () => {
  it("may come several times, and without a value", () => {
    const { name, settings } = parseSettings("user,hostfwd=tcp::1-:2,restrict,hostfwd=udp::3-:4", "--net");
    expect(name).toBe("user");
    expect(Object.fromEntries(settings)).toEqual({ hostfwd: ["tcp::1-:2", "udp::3-:4"], restrict: ["on"] });
  });
});

describe("a device's options", () => {
  const open = (options: object) => openNet({ backend: "none", ...options }, 0, 2, nodePlatform);

  it("have defaults", () => {
    const { model, transport, mac, mtu, queues } = open({});
    expect({ model, transport, mac, mtu, queues }).toEqual({
      model: "virtio",
      transport: "pci",
      mac: [0x52, 0x54, 0, 0x12, 0x34, 0x56],
      mtu: 1500,
      queues: 2,
    });
    expect(macOf({ backend: "none" }, 3)).toEqual([0x52, 0x54, 0, 0x12, 0x34, 0x59]);
  });

  it("say how the guest gets its address", () => {
    expect(addressWay({ backend: "none" }, nodePlatform)).toBe("none");
    expect(addressWay({ backend: "none", address: "10.1.2.3/8" }, nodePlatform)).toBe("10.1.2.3/8");
    const backend = { name: "x", accepts: 0, open() {}, send() {}, ready() {}, close() {} };
    expect(addressWay({ backend }, nodePlatform)).toBe("dhcp");
    expect(addressWay({ backend: { ...backend, dhcp: false } }, nodePlatform)).toBe("none");
  });

  it.each([
    [{ mtu: 67 }, /MTU 67/],
    [{ mtu: 1500.5 }, /MTU 1500.5/],
    [{ queues: 9 }, /queues 9/],
    [{ model: "ne2000" }, /network model "ne2000" is not known/],
    [{ settings: { speed: ["1"] } }, /network none has no setting "speed"/],
    [{ backend: "nowhere" }, /network "nowhere" is not known here/],
  ])("%j is refused", (options, message) => {
    expect(() => open(options)).toThrow(OptionError);
    expect(() => open(options)).toThrow(message);
  });
});
