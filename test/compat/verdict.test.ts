// Verdicts: what works, and the one thing that is missing for what does not.
import { beforeAll, describe, expect, it } from "vitest";
import { checkGuestOn } from "../../src/compat/check-guest.ts";
import { needsOf } from "../../src/compat/needs.ts";
import { writeCpio } from "../../src/image/cpio.ts";
import { type FileEntry, file } from "../../src/image/file-tree.ts";
import { type HardwareModel, hardwareModel, type Verdict } from "../../src/index.ts";
import { CATALOGUE, type CatalogueRow } from "../../src/machine/catalogue.ts";
import { unpack } from "../../src/platform/node/compat/unpack.ts";
import { kernelModule, staticProgram } from "../guest/elf-files.ts";
import { type FakeKernel, fakeKernel, wholeKernel } from "./kernel.ts";

let hardware: HardwareModel;
beforeAll(async () => {
  hardware = await hardwareModel();
});

const FOLDER = "lib/modules/6.12.1-test";
const check = (kernel: Uint8Array, files: FileEntry[] = [], model = hardware) =>
  checkGuestOn(model, { kernel, initrd: writeCpio([file("etc/x", ""), ...files]) }, unpack, "paravirt");
const of = (verdicts: readonly Verdict[], device: string) => verdicts.find((it) => it.device === device) as Verdict;
const missing = async (device: string, kernel: Uint8Array, files?: FileEntry[], model?: HardwareModel) =>
  of(await check(kernel, files, model), device).missing;

describe("a kernel with every driver", () => {
  it("works with every form", async () => {
    const verdicts = await check(wholeKernel());
    expect(verdicts.filter(({ works }) => !works)).toEqual([]);
    expect(verdicts.map(({ device }) => device)).toEqual([
      "isa",
      "pages",
      ...CATALOGUE.map(({ id }) => id),
      "/dev/paravane",
    ]);
    expect(verdicts.filter(({ chosen }) => chosen).map(({ function: name, device }) => [name, device])).toEqual([
      ["interrupts", "aia"],
      ["timer", "sbi-timer"],
      ["ipi", "sbi-ipi"],
      ["entropy", "virtio-rng"],
      ["rtc", "virtio-rtc"],
      ["memory", "virtio-balloon"],
      ["power", "sbi-reset"],
      ["harts", "sbi-hsm"],
      ["counters", "sbi-pmu"],
      ["steal time", "sbi-sta"],
      ["console", "virtio-console"],
      ["block", "virtio-blk"],
      ["network", "virtio-net"],
      ["files", "virtio-9p"],
      ["agent", "virtio-agent-port"],
      ["vsock", "virtio-vsock"],
      ["pci", "pcie"],
      ["hypercalls", "/dev/paravane"],
    ]);
  });

  it("has a need of its own for every row, and each need names what would meet it", () => {
    for (const row of CATALOGUE as readonly CatalogueRow[]) {
      for (const { needs } of needsOf(row).ways) {
        for (const need of needs) expect(need.module !== "" || need.config !== "", row.id).toBe(true);
      }
    }
  });
});

describe("what a kernel lacks", () => {
  it.each([
    ["virtio-blk", /^virtio_blk$/, "module virtio_blk, neither built in nor in an initramfs"],
    ["sbi-sta", /^STA$/, "CONFIG_PARAVIRT in the kernel"],
    ["sbi-console", /^hvc_riscv_sbi$/, "CONFIG_HVC_RISCV_SBI in the kernel"],
    ["finisher", /^syscon-poweroff$/, "CONFIG_POWER_RESET_SYSCON_POWEROFF in the kernel"],
    ["e1000", /^e1000$/, "module e1000, neither built in nor in an initramfs"],
  ])("%s without %s", async (device, without, what) => {
    expect(await missing(device, wholeKernel(without))).toBe(what);
  });

  it("is named by its option where the configuration is known", async () => {
    const config = "CONFIG_VIRTIO_BLK=m\nCONFIG_E1000=y\n";
    const kernel = (without: RegExp, extra: FakeKernel = {}) => wholeKernel(without, { config, ...extra });
    expect(await missing("virtio-blk", kernel(/^virtio_blk$/))).toBe("module virtio_blk, absent from the initramfs");
    expect(await missing("sbi-sta", kernel(/^STA$/))).toBe("CONFIG_PARAVIRT in the kernel");
    expect(await missing("virtio-rtc", kernel(/^virtio_rtc$/))).toBe("CONFIG_VIRTIO_RTC in the kernel");
  });

  it("takes what stands on it along", async () => {
    const verdicts = await check(wholeKernel(/^(virtio_pci|pci-host-ecam-generic)$/));
    for (const device of ["virtio-console", "virtio-mem", "nvme", "e1000"])
      expect(of(verdicts, device).works).toBe(false);
    // These are on mmio too.
    expect(of(verdicts, "virtio-blk")).toMatchObject({ works: true, transport: "mmio" });
    expect(of(verdicts, "virtio-rng").works).toBe(true);
  });

  it("is not found in a list of what is built in, although a table of numbers looks like it", async () => {
    const kernel = fakeKernel({
      virtio: [3],
      of: ["pci-host-ecam-generic"],
      pci: [[0x1af4, 0xffff_ffff]],
      symbols: ["ext4", "virtio_pci"].map((it) => `__initcall__kmod_${it}__1_1_init6`),
    });
    expect(await missing("virtio-console", kernel)).toMatch(/module virtio_console/);
  });
});

describe("modules in the initramfs", () => {
  const net = kernelModule({ name: "virtio_net", depends: "net_failover", alias: ["virtio:d00000001v*"] });
  const failover = kernelModule({ name: "net_failover", depends: "", alias: [] });
  const kernel = wholeKernel(/^virtio_net$/);

  it("drive what their aliases say", async () => {
    const files = [file(`${FOLDER}/kernel/virtio_net.ko`, net), file(`${FOLDER}/kernel/net_failover.ko`, failover)];
    expect(await missing("virtio-net", kernel, files)).toBeNull();
  });

  it("need what they need", async () => {
    const files = [file(`${FOLDER}/kernel/virtio_net.ko`, net)];
    expect(await missing("virtio-net", kernel, files)).toBe("module net_failover, which virtio_net needs");
  });

  it("are of the kernel that boots", async () => {
    const files = [file("lib/modules/5.10.0/kernel/virtio_net.ko", net)];
    expect(await missing("virtio-net", kernel, files)).toBe(
      "modules of kernel 6.12.1-test: there are those of 5.10.0 alone",
    );
  });
});

describe("what hardware lacks", () => {
  const changed = (change: (model: HardwareModel) => void): HardwareModel => {
    const model = structuredClone(hardware);
    change(model);
    return model;
  };

  it("is a device, a feature bit, an extension or a page size", async () => {
    const kernel = wholeKernel();
    const device = (model: HardwareModel, id: string) => model.devices.find((it) => it.device === id)!;
    const noDevice = changed((it) => {
      it.devices = it.devices.filter(({ device: id }) => id !== "virtio-blk");
    });
    expect(await missing("virtio-blk", kernel, [], noDevice)).toBe(
      "device virtio-blk, which the hardware does not offer",
    );
    const noFeature = changed((it) => {
      device(it, "virtio-net").features = ["VIRTIO_NET_F_MAC"];
    });
    expect(await missing("virtio-net", kernel, [], noFeature)).toBe("feature bit VIRTIO_F_VERSION_1 of virtio-net");
    const noSstc = changed((it) => {
      it.isa = it.isa.replace("_sstc", "");
    });
    expect(await missing("sstc", kernel, [], noSstc)).toBe("extension sstc of the ISA");
    const bigPages = changed((it) => {
      it.pageSizes = [65536];
    });
    expect(await missing("pages", kernel, [], bigPages)).toBe("pages of 4096 bytes, which the kernel was built for");
  });

  it("is an extension that the userland was built for", async () => {
    const program = file("bin/busybox", staticProgram(new Uint8Array(4)));
    const noFloat = changed((it) => {
      it.isa = "rv64imac_zicsr_zifencei";
    });
    expect(await missing("isa", wholeKernel(), [program], noFloat)).toBe(
      "extension f, which /bin/busybox was built for",
    );
    expect(await missing("isa", wholeKernel(), [program])).toBeNull();
  });
});

describe("a program that is no Linux", () => {
  it("is judged by what its code and its strings show", async () => {
    const program = staticProgram(
      wholeKernel(/^(sstc|virtio_mmio|IPI)$/, { release: "", of: ["sifive,plic-1.0.0", "ns16550a"] }),
    );
    const verdicts = await checkGuestOn(hardware, { kernel: program }, unpack);
    expect(of(verdicts, "ns16550a").works).toBe(true);
    expect(of(verdicts, "sbi-timer").works).toBe(true);
    expect(of(verdicts, "sbi-ipi").missing).toBe("code for sbi:IPI, of which the program shows none");
    expect(of(verdicts, "sstc").missing).toBe("code for isa:sstc, of which the program shows none");
  });
});

describe("hostile images", () => {
  it("come to a verdict or an error, never to a crash", async () => {
    let state = 5;
    const next = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const kernel = wholeKernel(/^$/, { config: "CONFIG_A=y\n" });
    const initrd = writeCpio([
      file(`${FOLDER}/modules.dep`, "kernel/a.ko: kernel/b.ko\n"),
      file(`${FOLDER}/kernel/a.ko`, "x"),
    ]);
    for (let run = 0; run < 60; run++) {
      const [badKernel, badInitrd] = [kernel.slice(0, next(kernel.length) + 64), initrd.slice()];
      for (let i = 0; i < 20; i++) {
        badKernel[next(badKernel.length)] = next(256);
        badInitrd[next(badInitrd.length)] = next(256);
      }
      const verdicts = await checkGuestOn(hardware, { kernel: badKernel, initrd: badInitrd }, unpack).catch((it) => it);
      if (verdicts instanceof Error) expect(verdicts.name).toMatch(/^(ImageError|DamagedArchive|BootError)$/);
      else expect(verdicts).toHaveLength(2 + CATALOGUE.length + 1);
    }
  });
});
