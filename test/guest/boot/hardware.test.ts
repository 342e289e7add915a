// Every device of the machine in one Debian guest, with either interrupt controller: no driver has anything to warn
// of, and what the guest's own tools print of them (nvme-cli, smartctl, lspci, ethtool) is what they are.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, createSwitch, type Guest } from "../../../src/index.ts";
import { MIB, run } from "./file-disks.ts";
import { serialPort } from "./serial-port.ts";

const BOOT = 300_000;
const NVME_ID = "0x5056";
const DRIVERS = [
  ...["of_serial", "goldfish_rtc", "virtio_console", "virtio_blk", "nvme", "ahci", "virtio_pmem", "nd_pmem"],
  ...["virtio_net", "e1000", "e1000e", "virtio_balloon", "virtio_rng", "9pnet_virtio", "vmw_vsock_virtio_transport"],
  ...["pci-host-generic", "virtio-pci", "virtio-mmio"],
];

/** What any kernel for RISC-V says of a machine with the device (level 4), whatever the device does. */
const OF_THE_KERNEL = [
  // nd_pmem: the architecture has no CONFIG_ARCH_HAS_UACCESS_FLUSHCACHE. A flush asks the device.
  /^nd_pmem namespace0\.0: unable to guarantee persistence of writes$/,
];

describe.each(["plic", "aia"] as const)("every device, with %s", { timeout: 240_000 }, (irqchip) => {
  const folder = mkdtempSync(join(tmpdir(), "paravane-hardware-"));
  const lan = createSwitch();
  const notices: string[] = [];
  let guest: Guest;

  beforeAll(async () => {
    const disk = () => ({ bytes: new Uint8Array(16 * MIB) });
    const net = (number: number) => ({
      backend: lan.port(),
      mac: `02:00:00:00:01:0${number}`,
      address: `10.9.${number}.1/24`,
    });
    guest = await createGuest({
      guest: "debian",
      irqchip,
      harts: 2,
      exec: true,
      tools: true,
      console: "ns16550a",
      serial: "data",
      agent: true,
      balloon: true,
      hotplugMemory: "128M",
      rtc: true,
      disks: [
        { ...disk(), transport: "pci" },
        { ...disk(), transport: "mmio", ring: "packed" },
        { ...disk(), if: "nvme" },
        { ...disk(), if: "nvme", doorbellBuffer: true },
        { ...disk(), if: "ahci" },
      ],
      nets: [
        { ...net(0), transport: "pci" },
        { ...net(1), transport: "mmio" },
        { ...net(2), model: "e1000" },
        { ...net(3), model: "e1000e" },
      ],
      pmem: [disk()],
      shares: [{ path: folder, tag: "shared" }],
      vsock: { path: join(folder, "vsock") },
      devices: [serialPort],
      onNotice: (line) => notices.push(line),
    });
    await guest.ready();
    await sh("for module in 9pnet_virtio 9p vmw_vsock_virtio_transport; do modprobe $module || exit; done");
    // All but the one with the tools.
    const disks = (await sh("cd /sys/class/block && grep -l 0 */ro")).trim().split("\n");
    expect(disks.map((path) => path.replace(/.\/ro$/, "")).sort()).toEqual([
      "nvme0n",
      "nvme1n",
      "pmem",
      "sd",
      "vd",
      "vd",
    ]);
    for (const disk of disks) await sh(`dd if=/dev/zero of=/dev/${disk.slice(0, -3)} bs=64k count=4 conv=fsync`);
  }, BOOT);
  afterAll(() => {
    guest?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Standard output of a command that must succeed. */
  async function sh(command: string): Promise<string> {
    const { status, output } = await run(guest, command);
    if (status !== 0) throw new Error(`${command}: status ${status}: ${output}`);
    return output;
  }

  /** The PCI address that a driver's device has, and for a network driver its interface. */
  const slot = async (driver: string) => (await sh(`basename /sys/bus/pci/drivers/${driver}/0*`)).trim();
  const face = async (driver: string) => (await sh(`basename /sys/bus/pci/drivers/${driver}/0*/net/*`)).trim();

  /** What lspci -vv says of the first device of a driver, without its indentation. */
  async function lspci(driver: string): Promise<string> {
    const [first] = (await sh(`cd /sys/bus/pci/drivers/${driver} && echo 0*`)).split(/\s/);
    return (await sh(`lspci -vv -s ${first} 2>/dev/null`)).replace(/^\s+/gm, "");
  }

  it("all drivers are there, and none has anything to warn of", async () => {
    await sh("mount -t 9p -o trans=virtio shared /mnt && ls /mnt && umount /mnt");
    const bound = await sh("cd /sys/bus && ls -d */drivers/*/*/driver | cut -d/ -f3 | sort -u");
    expect(bound.trim().split("\n")).toEqual(expect.arrayContaining(DRIVERS));
    const log = await sh("dmesg -r");
    const warnings = log
      .split("\n")
      .filter((line) => /^<[0-4]>/.test(line))
      .map((line) => line.replace(/^<\d>\[ *[\d.]+\] /, ""));
    expect(warnings.filter((line) => !OF_THE_KERNEL.some((it) => it.test(line)))).toEqual([]);
    expect(log).not.toMatch(/Ignoring bogus Namespace Identifiers/);
    expect(notices).toEqual([]);
  });

  it("nvme-cli", async () => {
    const json = async (command: string) => JSON.parse(await sh(`nvme ${command} -o json`));
    for (const number of [0, 1]) {
      const disk = `/dev/nvme${number}`;
      const controller = await json(`id-ctrl ${disk}`);
      const serial = controller.sn.trim();
      expect(serial).toMatch(/^paravane-nvme-[01]$/);
      expect(controller).toMatchObject({
        vid: Number(NVME_ID),
        ssvid: Number(NVME_ID),
        ver: 0x10400,
        nn: 1,
        cntrltype: 1,
      });
      expect([controller.mn.trim(), controller.fr.trim()]).toEqual(["Paravane NVMe", "1.0"]);
      expect(controller.oacs & 0x100).toBe(serial === "paravane-nvme-1" ? 0x100 : 0);
      const namespace = await json(`id-ns ${disk}n1`);
      expect(namespace).toMatchObject({ nsze: 32768, ncap: 32768, nuse: 32768, nlbaf: 0 });
      expect(namespace.eui64).toBe(`5254006e766d000${Number(serial.at(-1)) + 1}`);
      expect(namespace.nguid).toBe(`5254006e766d0000${namespace.eui64}`);
      // Linux believes them.
      expect(await sh(`cat /sys/block/nvme${number}n1/wwid`)).toBe(`eui.${namespace.nguid}\n`);
      const health = await json(`smart-log ${disk}`);
      expect(health).toMatchObject({ critical_warning: 0, temperature: 300, avail_spare: 100, media_errors: 0 });
      expect(health.data_units_written).toBeGreaterThan(0);
      expect(await sh(`nvme fw-log ${disk}`)).toMatch(/^afi +: 0x1\n(.*\n)*frs1 +: 0x\w+ \(1\.0/m);
      expect(await sh(`nvme list-ns ${disk}`)).toMatch(/^\[ *0\]:0x1$/m);
      expect(await sh(`nvme get-feature ${disk} -f 6 -H`)).toMatch(/Volatile Write Cache Enable.*Enabled/);
    }
    expect(await sh("nvme list")).toMatch(/\/dev\/nvme0n1 .*paravane-nvme-[01] .*Paravane NVMe .*512 {3}B .*1\.0/);
  });

  it("smartctl", async () => {
    const about = await sh("smartctl -i /dev/sda");
    for (const line of [
      /^Device Model: +Paravane SATA$/m,
      /^Serial Number: +paravane-ahci-0$/m,
      /^LU WWN Device Id: 5 525400 616863690$/m,
      /^Firmware Version: 1\.0$/m,
      /^User Capacity: +16,777,216 bytes \[16\.7 MB\]$/m,
      /^Sector Size: +512 bytes logical\/physical$/m,
      /^Rotation Rate: +Solid State Device$/m,
      /^TRIM Command: +Available/m,
      /^ATA Version is: +ACS-2/m,
      /^SATA Version is: +SATA 2\.6, 3\.0 Gb\/s \(current: 3\.0 Gb\/s\)$/m,
      /^SMART support is: Available - device has SMART capability\.$/m,
      /^SMART support is: Enabled$/m,
    ])
      expect(about).toMatch(line);
    const health = await sh("smartctl -H -A /dev/sda");
    expect(health).toMatch(/test result: PASSED/);
    expect(health).toMatch(/^194 \S+ .* 27$/m);
    expect(health).toMatch(/^241 \S+ .* [1-9]\d*$/m);
    const nvme = await sh("smartctl -a /dev/nvme0");
    for (const line of [
      /^Model Number: +Paravane NVMe$/m,
      /^PCI Vendor\/Subsystem ID: +0x5056$/m,
      /^Firmware Version: +1\.0$/m,
      /^NVMe Version: +1\.4$/m,
      /^Number of Namespaces: +1$/m,
      /^Namespace 1 IEEE EUI-64: +525400 6e766d000[12]$/m,
      /test result: PASSED/,
      /^Temperature: +27 Celsius$/m,
    ])
      expect(nvme).toMatch(line);
  });

  it("lspci", async () => {
    const messages = irqchip === "aia" ? "\\+" : "-";
    const nvme = await lspci("nvme");
    for (const line of [
      /^[\da-f:.]+ (Class 0108|Non-Volatile memory controller): Device 5056:0001 \(rev 01\)/,
      /^Subsystem: Device 5056:0001$/m,
      /^Control: I\/O- Mem\+ BusMaster\+ /m,
      /^Region 0: Memory at [\da-f]+ \(64-bit, non-prefetchable\) \[size=16K\]$/m,
      new RegExp(`^Capabilities: \\[40\\] MSI-X: Enable${messages} Count=9 Masked-$`, "m"),
      /^Vector table: BAR=0 offset=00002000$/m,
      /^PBA: BAR=0 offset=00003000$/m,
      /Power Management version 3$/m,
      /^Status: D0 NoSoftRst\+ PME-Enable-/m,
      /Express \(v2\) Root Complex Integrated Endpoint/,
      /^DevCap:\s+MaxPayload 128 bytes/m,
      /^Kernel driver in use: nvme$/m,
    ])
      expect(nvme).toMatch(line);
    const e1000e = await lspci("e1000e");
    for (const line of [
      /Device 8086:10d3|82574L/,
      /^Region 0: Memory at [\da-f]+ \(32-bit, non-prefetchable\) \[size=128K\]$/m,
      /^Region 3: Memory at [\da-f]+ \(32-bit, non-prefetchable\) \[size=16K\]$/m,
      new RegExp(`MSI-X: Enable${messages} Count=\\d+ Masked-$`, "m"),
      /Power Management version 2$/m,
      /Express \(v1\) Root Complex Integrated Endpoint/,
    ])
      expect(e1000e).toMatch(line);
    const e1000 = await lspci("e1000");
    for (const line of [
      /Device 8086:100e|82540EM/,
      /^Region 2: I\/O ports at [\da-f]+ \[size=64\]$/m,
      /Power Management version 2$/m,
    ])
      expect(e1000).toMatch(line);
    const ahci = await lspci("ahci");
    for (const line of [
      /Device 8086:2922|82801I/,
      /^Region 5: Memory at [\da-f]+ .*\[size=2K\]$/m,
      /Power Management version 3$/m,
    ])
      expect(ahci).toMatch(line);
    expect(await lspci("virtio-pci")).toMatch(/Vendor Specific Information: VirtIO: CommonCfg$/m);
    // lspci 3.13 knows four of virtio's five structures (Virtio 1.2, 4.1.4).
    const all = (await sh("lspci -vv 2>/dev/null")).replace(/VirtIO: <unknown>$/gm, "VirtIO: PCI configuration access");
    expect(all).not.toMatch(/<access denied>|Unknown|invalid|\?\?|rev ff/i);
    expect(all.match(/^\S+ .*$/gm)?.length).toBe((await sh("ls /sys/bus/pci/devices")).trim().split(/\s+/).length);
  });

  it("ethtool", async () => {
    for (const [driver, address] of [
      ["e1000", "02:00:00:00:01:02"],
      ["e1000e", "02:00:00:00:01:03"],
    ]) {
      const name = await face(driver);
      expect(await sh(`ethtool -P ${name}`)).toBe(`Permanent address: ${address}\n`);
      const link = await sh(`ethtool ${name}`);
      for (const line of [
        /Supported ports: \[ TP/,
        /1000baseT\/Full/,
        /Speed: 1000Mb\/s/,
        /Duplex: Full/,
        /Auto-negotiation: on/,
        /Link detected: yes/,
      ])
        expect(link, driver).toMatch(line);
      const info = await sh(`ethtool -i ${name}`);
      expect(info).toContain(`driver: ${driver}\n`);
      expect(info).toContain(`bus-info: ${await slot(driver)}\n`);
      expect(await sh(`ethtool -g ${name}`)).toMatch(/RX:\s+256/);
      expect(await sh(`ethtool -d ${name}`)).toMatch(/Link up:\s+link config|0x00000: CTRL/);
      expect(await sh(`ethtool -S ${name}`)).toMatch(/^ +rx_errors: 0$/m);
      // The driver's own tests of registers, EEPROM, interrupt, loop-back and link.
      const tests = await sh(`ethtool -t ${name} offline`);
      expect(tests, driver).toMatch(/result is PASS/);
    }
    for (const name of (await sh("cd /sys/bus/virtio/drivers/virtio_net && echo virtio*/net/*")).trim().split(" ")) {
      expect(await sh(`ethtool -i ${name.split("/").at(-1)}`)).toContain("driver: virtio_net\n");
    }
  });
});
