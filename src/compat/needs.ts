// What each form of a function asks of a guest's drivers and of the hardware, made of the
// catalogue's rows: which ids have to be matched, each by some driver, and which drivers are wanted besides
// that match no hardware, such as a file system. One `or` of a row is a transport that the device has too.
import type { CatalogueRow } from "../machine/catalogue.ts";
import type { Wanted } from "./driver-set.ts";
import { type HardwareId, parseHardwareId } from "./hardware-id.ts";

/** One thing that a driver has to do: match any of `ids` (as the catalogue writes them), or, without ids, be there. */
export interface DriverNeed {
  ids: readonly string[];
  /** Linux's name of the module, with _, or "" where it is no module. */
  module: string;
  /** Symbol of Linux's configuration, or "" where nothing switches it. */
  config: string;
  /** Of Linux alone: other programs have no such thing. */
  onlyLinux?: boolean;
  /** Never a module: `module` is the name under which it is built in. */
  onlyBuiltin?: boolean;
}

export interface RowNeeds {
  /** Ways to reach the device, each a list of needs that all have to be met; the first that works is taken. */
  ways: { transport?: "pci" | "mmio"; needs: DriverNeed[] }[];
  /** Feature bits that drivers refuse to go without. */
  features: readonly string[];
  /** Extensions that the hart must have. */
  isa: readonly string[];
}

const PCI_HOST: DriverNeed = { ids: ["pci-host-ecam-generic"], module: "pci_host_generic", config: "PCI_HOST_GENERIC" };
const VIRTIO_PCI = (id: string): DriverNeed => ({ ids: [id], module: "virtio_pci", config: "VIRTIO_PCI" });
const VIRTIO_MMIO: DriverNeed = { ids: ["virtio,mmio"], module: "virtio_mmio", config: "VIRTIO_MMIO" };
/** Linux's drivers of the modern transports, and everybody else's, refuse a device without it (virtio 1.2, 6.1). */
const VERSION_1 = "VIRTIO_F_VERSION_1";

const besides = (module: string, config: string): DriverNeed => ({ ids: [], module, config, onlyLinux: true });

/** Beside what a row's ids say. */
const BESIDES: Record<string, DriverNeed[]> = {
  ahci: [besides("sd_mod", "BLK_DEV_SD")],
  "virtio-9p": [besides("9p", "9P_FS")],
  "virtio-pmem": [besides("nd_pmem", "BLK_DEV_PMEM")],
  "sbi-console": [{ ...besides("hvc_riscv_sbi", "HVC_RISCV_SBI"), onlyBuiltin: true }],
};

/** Where Linux matches another node than the device's own. */
const MATCHED_BY: Record<string, DriverNeed[]> = {
  finisher: [
    { ids: ["syscon-poweroff", "sifive,test0", "sifive,test1"], module: "", config: "POWER_RESET_SYSCON_POWEROFF" },
  ],
  // The kernel asks the firmware, which is given with the boot, and the firmware drives the device.
  "clint-timer": [{ ids: ["sbi:TIME", "sifive,clint0", "riscv,clint0"], module: "", config: "RISCV_SBI" }],
  "clint-ipi": [{ ids: ["sbi:IPI", "sifive,clint0", "riscv,clint0"], module: "", config: "RISCV_SBI" }],
};

const FEATURES: Record<string, string[]> = {
  "nvme-dbbuf": ["NVME_OACS_DBBUF"],
  "virtio-agent-port": [VERSION_1, "VIRTIO_CONSOLE_F_MULTIPORT"],
};

/** Virtio devices that can be attached to either transport. */
const ON_BOTH = ["virtio-blk", "virtio-net"];

const firstModule = (row: CatalogueRow): string => row.driver.split(",")[0].trim().replaceAll("-", "_");

/** What row `row` needs. */
export function needsOf(row: CatalogueRow): RowNeeds {
  const ids = row.compatible.map((text) => ({ text, id: parseHardwareId(text) }));
  const texts = (...buses: HardwareId["bus"][]) =>
    ids.filter(({ id }) => buses.includes(id.bus)).map(({ text }) => text);
  const driver = { module: firstModule(row), config: row.config };
  const extra = BESIDES[row.id] ?? [];
  const isa = ids.flatMap(({ id }) => (id.bus === "isa" ? [id.extension] : []));
  const isVirtio = row.transport === "virtio-pci" || row.transport === "virtio-mmio";
  const features = FEATURES[row.id] ?? (isVirtio ? [VERSION_1] : []);

  if (isVirtio) {
    const own: DriverNeed[] = [{ ids: texts("virtio"), ...driver }, ...extra];
    const [number] = ids.flatMap(({ id }) => (id.bus === "virtio" ? [id.device] : []));
    const pciId = texts("pci")[0] ?? `pci:1af4:${(0x1040 + number).toString(16)}`;
    const pci = { transport: "pci" as const, needs: [PCI_HOST, VIRTIO_PCI(pciId), ...own] };
    const mmio = { transport: "mmio" as const, needs: [VIRTIO_MMIO, ...own] };
    const first = row.transport === "virtio-pci" ? pci : mmio;
    // What can be on both is put on PCI first, as the guests that know it are.
    return { ways: ON_BOTH.includes(row.id) ? [pci, mmio] : [first], features, isa };
  }
  const matched = MATCHED_BY[row.id] ?? byBus(texts, driver, row);
  const bus = row.transport === "pci" ? [PCI_HOST] : [];
  return { ways: [{ needs: [...bus, ...matched, ...extra] }], features, isa };
}

/** A need for each kind of id that the row has; of the device tree's and PCI's any will do, of extensions all are meant. */
function byBus(
  texts: (...buses: HardwareId["bus"][]) => string[],
  driver: Pick<DriverNeed, "module" | "config">,
  row: CatalogueRow,
): DriverNeed[] {
  const any = [texts("of"), texts("pci", "pci-class")].filter((list) => list.length > 0);
  // An APLIC and IMSICs are two devices.
  const lists = row.id === "aia" ? texts("of").map((text) => [text]) : any;
  const each = [...texts("sbi"), ...texts("isa")].map((text) => [text]);
  // A program's own: no driver stands between it and the extension.
  if (/^(none|firmware)/.test(row.driver) && lists.length === 0) return [];
  return [...lists.map((ids) => ({ ids, ...driver })), ...each.map((ids) => ({ ids, ...driver, onlyBuiltin: true }))];
}

/** What the needs of `rows` ask drivers for. */
export function wantedBy(rows: readonly CatalogueRow[]): Wanted {
  const ids = new Map<string, HardwareId>();
  const modules = new Set<string>();
  for (const { needs } of rows.flatMap((row) => needsOf(row).ways)) {
    for (const need of needs) {
      for (const text of need.ids) ids.set(text, parseHardwareId(text));
      if (need.module !== "") modules.add(need.module);
    }
  }
  return { ids, modules: [...modules] };
}
