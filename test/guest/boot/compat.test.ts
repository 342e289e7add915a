// Verdicts proved: what the check says of a guest on some hardware, and what happens when it is booted there.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unpluggedNet } from "../../../src/backend/unplugged-net.ts";
import { readCpio, writeCpio } from "../../../src/image/cpio.ts";
import {
  addToInitrd,
  buildDebianGuest,
  checkGuest,
  createGuest,
  type DebianGuest,
  type HardwareModel,
  hardwareModel,
  type NodeGuestOptions,
  type Verdict,
} from "../../../src/index.ts";
import { paravane } from "../../cli/cli.ts";
import { compare, observe } from "./observed.ts";

const BOOT = 300_000;
const MIB = 1024 * 1024;
const PROBE = fileURLToPath(new URL("../../../bench/probe/probe.elf", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "paravane-compat-"));
const plainBoard = join(folder, "plain-board.json");
let debian: DebianGuest;
let own: HardwareModel;

beforeAll(async () => {
  debian = await buildDebianGuest();
  own = await hardwareModel();
  // A board as one could solder it: no virtio, nobody who answers SBI calls but its own firmware.
  const devices = own.devices.filter(({ device }) => !/^(virtio|sbi|net-switch|nvme-dbbuf)/.test(device));
  writeFileSync(plainBoard, JSON.stringify({ ...own, devices }));
}, BOOT);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (size = MIB) => new Uint8Array(size);
const net = (model: "virtio" | "e1000" | "e1000e") => ({ backend: unpluggedNet(), model });

const EMULATED: NodeGuestOptions = {
  disks: [
    { bytes: bytes(), if: "nvme" },
    { bytes: bytes(), if: "ahci" },
  ],
  nets: [net("e1000"), net("e1000e")],
};
const BOARD = ["plic", "goldfish-rtc", "finisher", "ns16550a", "pcie", "sstc"];
const EMULATED_ROWS = [...BOARD, "nvme", "ahci", "e1000", "e1000e"];

/** One of everything. */
const everything = (): NodeGuestOptions => ({
  disks: [...(EMULATED.disks ?? []), { bytes: bytes(), if: "virtio" }],
  nets: [...(EMULATED.nets ?? []), net("virtio")],
  shares: [{ path: folder, tag: "there" }],
  vsock: { path: join(folder, `vsock-${Math.random()}`), cid: 42 },
  pmem: [{ bytes: bytes(2 * MIB) }],
  ...{ balloon: true, hotplugMemory: "128M", rtc: true },
});
const VIRTIO_ROWS = [
  ...["virtio-blk", "virtio-net", "virtio-9p", "virtio-vsock", "virtio-pmem", "virtio-balloon", "virtio-mem"],
  ...["virtio-rtc", "virtio-console", "virtio-rng"],
];
const SBI_ROWS = ["sbi-timer", "sbi-ipi", "sbi-hsm", "sbi-reset", "sbi-pmu", "sbi-sta"];

const verdictOf = (verdicts: readonly Verdict[], id: string) => verdicts.find(({ device }) => device === id) as Verdict;

describe("Debian 13", () => {
  it("on this host drives what was foretold", { timeout: BOOT }, async () => {
    const verdicts = await checkGuest({ guest: "debian" });
    const seen = await observe({ guest: "debian", ...everything() }, [...EMULATED_ROWS, ...VIRTIO_ROWS, ...SBI_ROWS]);
    expect(compare(verdicts, seen)).toEqual({ differ: [], compared: 26 });
    // Not everything works: Debian leaves these out.
    for (const id of ["sbi-sta", "sbi-console", "virtio-mem", "virtio-rtc"]) {
      expect(verdictOf(verdicts, id).missing, id).toMatch(/^CONFIG_\w+ in the kernel$/);
    }
  });

  it("with an initramfs that lacks modules drives the less that was foretold", { timeout: BOOT }, async () => {
    const gone = /\/(net_failover|libahci|9p|nd_pmem|e1000)\.ko$/;
    const entries = [...readCpio(readFileSync(debian.initrd))].filter(({ path }) => !gone.test(path));
    const guest = { kernel: debian.kernel, initrd: writeCpio(entries) };
    const verdicts = await checkGuest(guest);
    const missing = Object.fromEntries(verdicts.map((it) => [it.device, it.missing]));
    expect(missing).toMatchObject({
      "virtio-net": "module net_failover, which virtio_net needs",
      ahci: "module libahci, which ahci needs",
      "virtio-9p": "module 9p, absent from the initramfs",
      e1000: "module e1000, absent from the initramfs",
    });
    const seen = await observe({ ...guest, ...everything() }, [...EMULATED_ROWS, ...VIRTIO_ROWS]);
    expect(compare(verdicts, seen)).toEqual({ differ: [], compared: 20 });

    // The same initramfs with what it lacks, out of the kernel's modules.
    const store = join(folder, "modules");
    for (const { path, ...entry } of readCpio(readFileSync(debian.initrd))) {
      const [, below] = /^usr\/lib\/modules\/[^/]+\/(.*)$/.exec(path) ?? [];
      if (below === undefined || entry.kind !== "file") continue;
      mkdirSync(join(store, dirname(below)), { recursive: true });
      writeFileSync(join(store, below), entry.data);
    }
    const { initrd, added } = await addToInitrd(guest.initrd, {
      add: ["virtio-net", "9p", "ahci", "e1000"],
      modules: store,
    });
    expect([...added].sort()).toEqual(["9p", "e1000", "libahci", "net_failover"]);
    const after = await checkGuest({ kernel: debian.kernel, initrd });
    for (const id of ["virtio-net", "virtio-9p", "ahci", "e1000"]) expect(verdictOf(after, id).works, id).toBe(true);
  });

  it("on a plain board boots fully virtualized, and what is not there is refused by name", {
    timeout: BOOT,
  }, async () => {
    const verdicts = await checkGuest({ guest: "debian", hardware: plainBoard });
    const options: NodeGuestOptions = {
      ...{ guest: "debian", hardware: plainBoard },
      disks: [...(EMULATED.disks ?? []), { bytes: bytes() }],
      nets: [...(EMULATED.nets ?? []), { backend: unpluggedNet() }],
    };
    const seen = await observe(options, [...EMULATED_ROWS, ...VIRTIO_ROWS]);
    expect(compare(verdicts, seen)).toEqual({ differ: [], compared: 20 });
    expect(seen.calls).toEqual([]);
    expect(seen.notices.join("\n")).toMatch(/boot cannot be paravirt .*goes through firmware/);
    expect(seen.notices.join("\n")).toMatch(/block cannot be paravirt .*: takes nvme, emulated/);
    const refused = createGuest({ guest: "debian", hardware: plainBoard, disks: [{ bytes: bytes(), if: "virtio" }] });
    await expect(refused).rejects.toThrow(/needs virtio-blk: the hardware model does not offer it/);
  });
});

describe("a program without an operating system", () => {
  /** Workloads of the probe by the row that each stands on. */
  const WORKLOADS: Record<string, string> = {
    "virtio-blk": "block=virtio count=4",
    nvme: "block=nvme count=4",
    "virtio-console": "console=virtio bytes=64",
    ns16550a: "console=uart bytes=64",
    "sbi-console": "console=dbcn bytes=64",
    "sbi-timer": "timer=sbi count=2",
    sstc: "timer=sstc count=2",
  };

  it.each(["this host", "hardware without virtio"])("does on %s what was foretold", async (where) => {
    const devices = own.devices.filter(({ device }) => where === "this host" || !device.startsWith("virtio"));
    const hardware = { ...own, devices };
    const verdicts = await checkGuest({ kernel: PROBE, hardware });
    let said = "";
    const guest = await createGuest({
      ...{ kernel: PROBE, hardware, memory: "16M", console: "ns16550a" as const },
      append: `control=dbcn;${Object.values(WORKLOADS).join(";")}`,
      disks: [
        { bytes: bytes(), if: "nvme" },
        ...(where === "this host" ? [{ bytes: bytes(), if: "virtio" as const }] : []),
      ],
      onOutput: (port, text) => {
        if (port === "sbi") said += new TextDecoder().decode(text);
      },
    });
    await guest.wait();
    Object.keys(WORKLOADS).forEach((id, i) => {
      const hasResult = new RegExp(`^probe: result ${i + 1} .* errors=0\\b`, "m").test(said);
      expect([id, hasResult]).toEqual([id, verdictOf(verdicts, id).works]);
    });
  });
});

describe("the command", () => {
  it("prints verdicts for people and for scripts", async () => {
    const { status, stdout, stderr } = await paravane("check");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^block +emulated +nvme +yes$/m);
    expect(stdout).toMatch(/^ +paravirt +virtio-blk +yes, best$/m);
    expect(stdout).toMatch(/^steal time +paravirt +sbi-sta +no +lacks CONFIG_PARAVIRT in the kernel$/m);
    const json = await paravane("check", "--json", "--hardware", plainBoard);
    expect(json.status).toBe(0);
    const rows = JSON.parse(json.stdout) as Verdict[];
    expect(rows.find(({ device }) => device === "virtio-net")).toEqual({
      ...{ function: "network", form: "paravirt", device: "virtio-net", chosen: false, works: false },
      missing: "device virtio-net, which the hardware does not offer",
    });
    expect(rows.filter(({ chosen }) => chosen).map(({ device }) => device)).toEqual(
      expect.arrayContaining(["nvme", "e1000", "ns16550a"]),
    );
  });

  it("prints hardware that it takes again", async () => {
    const { status, stdout } = await paravane("hardware", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(own);
    expect((await paravane("hardware")).stdout).toMatch(/^block +emulated +nvme$/m);
  });

  it("refuses what is required and cannot be, with status 3, before anything boots", async () => {
    const outcome = await paravane("run", "--require", "paravirt", "--hardware", plainBoard);
    expect(outcome).toMatchObject({ status: 3, stdout: "" });
    expect(outcome.stderr).toMatch(/^paravane: boot cannot be paravirt: sbi-timer lacks device sbi-timer, [^\n]+\n$/);
    const json = await paravane("run", "--json", "--require", "paravirt", "--hotplug-memory", "128M");
    expect([json.status, JSON.parse(json.stdout)]).toMatchObject([
      3,
      { reason: "incompatible", status: 3, missing: [{ function: "memory", device: "virtio-mem" }] },
    ]);
  });
});
