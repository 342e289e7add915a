// The whole matrix: Debian 13's kernel and sid's, one built for this machine if it is there, OpenSBI with U-Boot, each on three
// hardware models; what was foretold and what came of it. The short form is compat.test.ts.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unpluggedNet } from "../../../src/backend/unplugged-net.ts";
import { readCpio, writeCpio } from "../../../src/image/cpio.ts";
import {
  addToInitrd,
  buildDebianGuest,
  checkGuest,
  type HardwareModel,
  hardwareModel,
  type NodeGuestOptions,
  type Verdict,
} from "../../../src/index.ts";
import { builtKernel } from "./built-kernel.ts";
import { compare, observe } from "./observed.ts";
import { watched } from "./watched.ts";

const MIB = 1024 * 1024;
const BOOT = 600_000;

const folder = mkdtempSync(join(tmpdir(), "paravane-matrix-"));
let own: HardwareModel;
beforeAll(async () => {
  own = await hardwareModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Three hosts: this one, a plain board, and one that knows nothing but virtio and whose harts are older. */
const MODELS: Record<string, (model: HardwareModel) => HardwareModel> = {
  "this host": (model) => model,
  "a plain board": (model) => ({
    ...model,
    devices: model.devices.filter(({ device }) => !/^(virtio|sbi|net-switch|nvme-dbbuf)/.test(device)),
  }),
  "virtio alone, RV64GC": (model) => ({
    ...model,
    isa: "rv64imafdc_zicsr_zifencei_zicntr_sv39",
    devices: model.devices.filter(({ device }) => !/^(nvme|ahci|e1000|sstc|zkr|aia|imsic)/.test(device)),
  }),
};

const ATTACHABLE = [
  ...["virtio-blk", "nvme", "ahci", "virtio-net", "e1000", "e1000e", "virtio-9p", "virtio-vsock", "virtio-pmem"],
  ...["virtio-balloon", "virtio-mem", "virtio-rtc"],
];
const BOARD = ["plic", "goldfish-rtc", "finisher", "ns16550a", "pcie", "sstc", "virtio-console", "virtio-rng"];

/** One of everything that `model` offers. */
function everything(model: HardwareModel): NodeGuestOptions {
  const offers = (id: string) => model.devices.some(({ device }) => device === id);
  const disks = (["virtio", "nvme", "ahci"] as const).filter((it) => offers(it === "virtio" ? "virtio-blk" : it));
  const nets = (["virtio", "e1000", "e1000e"] as const).filter((it) => offers(it === "virtio" ? "virtio-net" : it));
  return {
    disks: disks.map((device) => ({ bytes: new Uint8Array(MIB), if: device })),
    nets: nets.map((device) => ({ backend: unpluggedNet(), model: device })),
    ...(offers("virtio-9p") && { shares: [{ path: folder, tag: "there" }] }),
    ...(offers("virtio-vsock") && { vsock: { path: join(folder, `vsock-${Math.random()}`) } }),
    ...(offers("virtio-pmem") && { pmem: [{ bytes: new Uint8Array(2 * MIB) }] }),
    ...(offers("virtio-balloon") && { balloon: true }),
    ...(offers("virtio-mem") && { hotplugMemory: "128M" }),
    ...(offers("virtio-rtc") && { rtc: true }),
  };
}

async function proveLinux(kernel: { kernel: string; initrd: string }, name: string): Promise<void> {
  const hardware = MODELS[name](own);
  const verdicts = await checkGuest({ ...kernel, hardware });
  const seen = await observe({ ...kernel, ...everything(hardware), hardware }, [...BOARD, ...ATTACHABLE]);
  const { differ, compared } = compare(verdicts, seen);
  expect(differ).toEqual([]);
  expect(compared).toBe(BOARD.length + ATTACHABLE.length);
}

const NAMES = Object.keys(MODELS);

describe.each(["trixie", "sid"] as const)("Debian %s", (release) => {
  it.each(NAMES)("on %s", { timeout: BOOT }, async (name) => {
    const guest = await buildDebianGuest({ release });
    await proveLinux(guest, name);
  });
});

describe.each(["small", "paravirt"] as const)("the kernel built as %s", (config) => {
  const kernel = builtKernel(config)?.kernel;
  it.skipIf(kernel === undefined).each(NAMES)("on %s", { timeout: BOOT }, async (name) => {
    const { initrd } = await buildDebianGuest();
    await proveLinux({ kernel: kernel as string, initrd }, name);
  });
});

describe("an initramfs that lacks modules", () => {
  it("drives everything when they have been added out of Debian's package", { timeout: BOOT }, async () => {
    const { kernel, initrd } = await buildDebianGuest();
    const gone = /\/(net_failover|libahci|9p|nd_pmem|e1000)\.ko$/;
    const cut = writeCpio([...readCpio(readFileSync(initrd))].filter(({ path }) => !gone.test(path)));
    const names = ["virtio-net", "9p", "ahci", "pmem", "e1000"];
    const { initrd: mended, added } = await addToInitrd(cut, { add: names });
    expect([...added].sort()).toEqual(["9p", "e1000", "libahci", "nd_pmem", "net_failover"]);
    const verdicts = await checkGuest({ kernel, initrd: mended });
    const seen = await observe({ kernel, initrd: mended, ...everything(own) }, [...BOARD, ...ATTACHABLE]);
    expect(compare(verdicts, seen).differ).toEqual([]);
    for (const id of ["virtio-net", "virtio-9p", "ahci", "virtio-pmem", "e1000"]) expect(seen.driven, id).toContain(id);
  });
});

describe("OpenSBI and U-Boot", () => {
  /** U-Boot's names of drivers, as `dm tree` prints them, by rows. */
  const DRIVERS: Record<string, string> = {
    ...{ ns16550a: "ns16550_serial", pcie: "pci_generic_ecam", nvme: "nvme", ahci: "ahci_pci" },
    ...{ "virtio-blk": "virtio-blk", "virtio-net": "virtio-net", "goldfish-rtc": "rtc_goldfish" },
  };

  it.each(NAMES)("on %s", { timeout: BOOT }, async (name) => {
    const hardware = MODELS[name](own);
    const verdicts = await checkGuest({ firmware: "u-boot", hardware });
    const { disks, nets } = everything(hardware);
    const { guest, until } = await watched({
      ...{ firmware: "u-boot" as const, hardware },
      disks,
      nets: nets?.filter(({ model }) => model === "virtio").map((net) => ({ ...net, transport: "mmio" as const })),
    });
    await until(/Hit any key to stop autoboot/);
    guest.console.write(" ");
    await until(/=> /);
    guest.console.write("virtio scan; nvme scan; scsi scan; dm tree; echo do''ne\n");
    const tree = await until(/\ndone/);
    guest.close();
    const seen = Object.entries(DRIVERS).map(([id, driver]) => [id, new RegExp(`\\]\\s+${driver}\\s`).test(tree)]);
    const foretold = Object.keys(DRIVERS).map((id) => [
      id,
      verdicts.find(({ device }: Verdict) => device === id)?.works,
    ]);
    expect(seen).toEqual(foretold);
  });
});
