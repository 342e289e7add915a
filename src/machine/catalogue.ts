// Every function of the machine and the forms it comes in. One row a form: the device tree
// takes compatible strings, addresses and interrupts from here, the compatibility check takes
// what a guest's driver must match, and the README's table is printed from it.
import { Irq, Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";

/** emulated: hardware that exists; paravirt: an interface made for guests; direct: no exit at all. */
export type Form = "emulated" | "paravirt" | "direct";

export interface CatalogueRow {
  /** The row's own name, for options and reports. */
  id: string;
  /** What it does for the guest: rows of one function replace each other. */
  function: string;
  form: Form;
  /** How the guest finds and reaches it. */
  transport: "mmio" | "pci" | "virtio-mmio" | "virtio-pci" | "sbi" | "csr";
  /** What a driver matches on: device tree strings, pci:vendor:device or class, virtio:type, sbi:extension, isa:extension. */
  compatible: string[];
  /** Place in the physical map, for transport mmio. */
  base?: number;
  size?: number;
  /** Source number at the PLIC, for transport mmio. */
  irq?: number;
  /** Kernel configuration that drives it in Linux. */
  driver: string;
  description: string;
}

export const CATALOGUE = [
  {
    id: "plic",
    function: "interrupts",
    form: "emulated",
    transport: "mmio",
    compatible: ["sifive,plic-1.0.0", "riscv,plic0"],
    base: PhysicalMap.PLIC,
    size: PhysicalMap.PLIC_SIZE,
    driver: "SIFIVE_PLIC",
    description: "SiFive PLIC, an M and an S context a hart",
  },
  {
    id: "clint-timer",
    function: "timer",
    form: "emulated",
    transport: "mmio",
    compatible: ["sifive,clint0", "riscv,clint0"],
    base: PhysicalMap.ACLINT,
    size: PhysicalMap.ACLINT_SIZE,
    driver: "(firmware's)",
    description: "CLINT mtime and mtimecmp; firmware boot only",
  },
  {
    id: "sbi-timer",
    function: "timer",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:TIME"],
    driver: "RISCV_TIMER",
    description: "SBI TIME set_timer",
  },
  {
    id: "sstc",
    function: "timer",
    form: "direct",
    transport: "csr",
    compatible: ["isa:sstc"],
    driver: "RISCV_TIMER",
    description: "stimecmp, compared by the hart itself",
  },
  {
    id: "clint-ipi",
    function: "ipi",
    form: "emulated",
    transport: "mmio",
    compatible: ["sifive,clint0", "riscv,clint0"],
    base: PhysicalMap.ACLINT,
    size: PhysicalMap.ACLINT_SIZE,
    driver: "(firmware's)",
    description: "CLINT msip; firmware boot only",
  },
  {
    id: "sbi-ipi",
    function: "ipi",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:IPI"],
    driver: "RISCV_SBI",
    description: "SBI IPI, and RFENCE for remote fences",
  },
  {
    id: "ns16550a",
    function: "console",
    form: "emulated",
    transport: "mmio",
    compatible: ["ns16550a"],
    base: PhysicalMap.UART,
    size: PhysicalMap.UART_SIZE,
    irq: Irq.UART,
    driver: "SERIAL_OF_PLATFORM",
    description: "NS16550A serial port",
  },
  {
    id: "virtio-console",
    function: "console",
    form: "paravirt",
    transport: "virtio-pci",
    compatible: ["pci:1af4:1043", "virtio:3"],
    driver: "VIRTIO_CONSOLE",
    description: "virtio console with several ports",
  },
  {
    id: "sbi-console",
    function: "console",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:DBCN"],
    driver: "HVC_RISCV_SBI, or earlycon=sbi",
    description: "SBI debug console",
  },
  {
    id: "nvme",
    function: "block",
    form: "emulated",
    transport: "pci",
    compatible: ["pci:class:010802"],
    driver: "BLK_DEV_NVME",
    description: "NVMe 1.4 controller",
  },
  {
    id: "nvme-dbbuf",
    function: "block",
    form: "paravirt",
    transport: "pci",
    compatible: ["pci:class:010802"],
    driver: "BLK_DEV_NVME",
    description: "NVMe with Doorbell Buffer Config (`dbbuf=on`)",
  },
  {
    id: "ahci",
    function: "block",
    form: "emulated",
    transport: "pci",
    compatible: ["pci:8086:2922", "pci:class:010601"],
    driver: "SATA_AHCI",
    description: "AHCI 1.3.1 controller (ICH9) with SATA drives, NCQ",
  },
  {
    id: "virtio-blk",
    function: "block",
    form: "paravirt",
    transport: "virtio-mmio",
    compatible: ["virtio,mmio", "virtio:2"],
    driver: "VIRTIO_BLK",
    description: "virtio block device",
  },
  {
    id: "ns16550a-serial",
    function: "agent",
    form: "emulated",
    transport: "mmio",
    compatible: ["ns16550a"],
    base: PhysicalMap.SERIAL,
    size: PhysicalMap.UART_SIZE,
    irq: Irq.SERIAL,
    driver: "SERIAL_OF_PLATFORM",
    description: "second NS16550A, a stream of bytes (`serial`)",
  },
  {
    id: "virtio-rng",
    function: "entropy",
    form: "paravirt",
    transport: "virtio-mmio",
    compatible: ["virtio,mmio", "virtio:4"],
    driver: "HW_RANDOM_VIRTIO",
    description: "virtio entropy source",
  },
  {
    id: "goldfish-rtc",
    function: "rtc",
    form: "emulated",
    transport: "mmio",
    compatible: ["google,goldfish-rtc"],
    base: PhysicalMap.RTC,
    size: PhysicalMap.RTC_SIZE,
    irq: Irq.RTC,
    driver: "RTC_DRV_GOLDFISH",
    description: "Goldfish real-time clock",
  },
  {
    id: "finisher",
    function: "power",
    form: "emulated",
    transport: "mmio",
    compatible: ["sifive,test1", "sifive,test0", "syscon"],
    base: PhysicalMap.FINISHER,
    size: PhysicalMap.FINISHER_SIZE,
    driver: "POWER_RESET_SYSCON",
    description: "SiFive test finisher as syscon power-off and reboot",
  },
  {
    id: "sbi-reset",
    function: "power",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:SRST"],
    driver: "RISCV_SBI",
    description: "SBI system reset, and SUSP for suspend to RAM",
  },
  {
    id: "sbi-hsm",
    function: "harts",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:HSM"],
    driver: "RISCV_SBI",
    description: "SBI hart state management: start, stop, suspend",
  },
  {
    id: "counters",
    function: "counters",
    form: "direct",
    transport: "csr",
    compatible: ["isa:zicntr"],
    driver: "RISCV_PMU_SBI",
    description: "cycle and instret CSRs",
  },
  {
    id: "sbi-pmu",
    function: "counters",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:PMU"],
    driver: "RISCV_PMU_SBI",
    description: "SBI performance monitoring: events of SBI itself, snapshots",
  },
  {
    id: "sbi-sta",
    function: "steal time",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:STA"],
    driver: "PARAVIRT",
    description: "SBI steal-time accounting in shared memory",
  },
  {
    id: "pcie",
    function: "pci",
    form: "emulated",
    transport: "mmio",
    compatible: ["pci-host-ecam-generic"],
    base: PhysicalMap.PCIE_ECAM,
    size: PhysicalMap.PCIE_ECAM_SIZE,
    irq: Irq.PCIE,
    driver: "PCI_HOST_GENERIC",
    description: "PCIe host bridge with ECAM, INTx through the PLIC",
  },
] as const satisfies CatalogueRow[];

export type CatalogueId = (typeof CATALOGUE)[number]["id"];

export function catalogueRow(id: CatalogueId): CatalogueRow {
  return CATALOGUE.find((row) => row.id === id) as CatalogueRow;
}

/** The catalogue as a Markdown table: a function a line, its forms side by side. */
export function catalogueTable(): string {
  const rows: CatalogueRow[] = [...CATALOGUE];
  const cell = (name: string, form: Form) =>
    rows
      .filter((row) => row.function === name && row.form === form)
      .map((row) => row.description)
      .join("; ");
  const functions = [...new Set(rows.map((row) => row.function))];
  const table = [
    ["function", "emulated", "paravirtual", "direct"],
    ...functions.map((name) => [name, cell(name, "emulated"), cell(name, "paravirt"), cell(name, "direct")]),
  ];
  const widths = table[0].map((_, column) => Math.max(...table.map((line) => line[column].length)));
  const lines = table.map((line) => `| ${line.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`);
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}
