// Every function of the machine and the forms it comes in. One row a form: the device tree
// takes compatible strings, addresses and interrupts from here, the compatibility check takes
// what a guest's driver must match, and the README's table is printed from it.
import { Layout } from "../../assembly/abi/layout.ts";
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
  /** The specification that it follows, with its version. */
  spec: string;
  /** What drives it in Linux: the driver's or module's name, "firmware" where firmware does. */
  driver: string;
  /** The symbol of Linux's configuration that builds the driver, without CONFIG_; "" for firmware. */
  config: string;
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
    spec: "RISC-V PLIC 1.0.0",
    driver: "irq-sifive-plic",
    config: "SIFIVE_PLIC",
    description: "SiFive PLIC, an M and an S context a hart",
  },
  {
    id: "aia",
    function: "interrupts",
    form: "direct",
    transport: "mmio",
    compatible: ["riscv,imsics", "riscv,aplic"],
    base: PhysicalMap.IMSIC_S,
    size: PhysicalMap.IMSIC_PAGE * Layout.MAX_HARTS,
    spec: "RISC-V AIA 1.0",
    driver: "irq-riscv-imsic, irq-riscv-aplic",
    config: "RISCV_IMSIC",
    description: "AIA: messages into each hart's IMSIC, wires through an APLIC; with --irqchip aia",
  },
  {
    id: "clint-timer",
    function: "timer",
    form: "emulated",
    transport: "mmio",
    compatible: ["sifive,clint0", "riscv,clint0"],
    base: PhysicalMap.ACLINT,
    size: PhysicalMap.ACLINT_SIZE,
    spec: "RISC-V ACLINT 1.0-rc4, MTIMER; SiFive CLINT",
    driver: "firmware",
    config: "",
    description: "CLINT mtime and mtimecmp; firmware boot only",
  },
  {
    id: "sbi-timer",
    function: "timer",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:TIME"],
    spec: "SBI 2.0, TIME",
    driver: "timer-riscv",
    config: "RISCV_TIMER",
    description: "SBI TIME set_timer",
  },
  {
    id: "sstc",
    function: "timer",
    form: "direct",
    transport: "csr",
    compatible: ["isa:sstc"],
    spec: "RISC-V Sstc 1.0",
    driver: "timer-riscv",
    config: "RISCV_TIMER",
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
    spec: "RISC-V ACLINT 1.0-rc4, MSWI; SiFive CLINT",
    driver: "firmware",
    config: "",
    description: "CLINT msip; firmware boot only",
  },
  {
    id: "sbi-ipi",
    function: "ipi",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:IPI"],
    spec: "SBI 2.0, IPI and RFENCE",
    driver: "riscv-sbi-ipi",
    config: "RISCV_SBI",
    description: "SBI IPI, and RFENCE for remote fences",
  },
  {
    id: "imsic-ipi",
    function: "ipi",
    form: "direct",
    transport: "mmio",
    compatible: ["riscv,imsics"],
    base: PhysicalMap.IMSIC_S,
    size: PhysicalMap.IMSIC_PAGE * Layout.MAX_HARTS,
    spec: "RISC-V AIA 1.0, chapter 3",
    driver: "irq-riscv-imsic",
    config: "RISCV_IMSIC",
    description: "a write to the other hart's IMSIC, sfence.vma there; with --irqchip aia",
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
    spec: "PC16550D data sheet",
    driver: "of_serial, 8250",
    config: "SERIAL_OF_PLATFORM",
    description: "NS16550A serial port",
  },
  {
    id: "virtio-console",
    function: "console",
    form: "paravirt",
    transport: "virtio-pci",
    compatible: ["pci:1af4:1043", "virtio:3"],
    spec: "virtio 1.2, 5.3",
    driver: "virtio_console",
    config: "VIRTIO_CONSOLE",
    description: "virtio console with several ports",
  },
  {
    id: "sbi-console",
    function: "console",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:DBCN"],
    spec: "SBI 2.0, DBCN",
    driver: "earlycon sbi, hvc_riscv_sbi",
    config: "HVC_RISCV_SBI",
    description: "SBI debug console",
  },
  {
    id: "nvme",
    function: "block",
    form: "emulated",
    transport: "pci",
    compatible: ["pci:class:010802"],
    spec: "NVM Express 1.4c",
    driver: "nvme",
    config: "BLK_DEV_NVME",
    description: "NVMe 1.4 controller",
  },
  {
    id: "virtio-blk",
    function: "block",
    form: "paravirt",
    transport: "virtio-mmio",
    compatible: ["virtio,mmio", "virtio:2"],
    spec: "virtio 1.2, 5.2",
    driver: "virtio_blk",
    config: "VIRTIO_BLK",
    description: "virtio block device",
  },
  {
    id: "e1000",
    function: "network",
    form: "emulated",
    transport: "pci",
    compatible: ["pci:8086:100e"],
    spec: "Intel 8254x Software Developer's Manual, 82540EM",
    driver: "e1000",
    config: "E1000",
    description: "Intel 82540EM Gigabit Ethernet",
  },
  {
    id: "e1000e",
    function: "network",
    form: "emulated",
    transport: "pci",
    compatible: ["pci:8086:10d3"],
    spec: "Intel 82574 Datasheet",
    driver: "e1000e",
    config: "E1000E",
    description: "Intel 82574L Gigabit Ethernet with MSI-X",
  },
  {
    id: "virtio-rng",
    function: "entropy",
    form: "paravirt",
    transport: "virtio-mmio",
    compatible: ["virtio,mmio", "virtio:4"],
    spec: "virtio 1.2, 5.4",
    driver: "virtio-rng",
    config: "HW_RANDOM_VIRTIO",
    description: "virtio entropy source",
  },
  {
    id: "virtio-9p",
    function: "files",
    form: "paravirt",
    transport: "virtio-pci",
    compatible: ["pci:1af4:1049", "virtio:9"],
    spec: "virtio 1.2, device 9; 9P2000.L",
    driver: "9pnet_virtio, 9p",
    config: "NET_9P_VIRTIO",
    description: "virtio 9P transport: folders of the host",
  },
  {
    id: "virtio-agent-port",
    function: "agent",
    form: "paravirt",
    transport: "virtio-pci",
    compatible: ["pci:1af4:1043", "virtio:3"],
    spec: "virtio 1.2, 5.3; QEMU Guest Agent protocol",
    driver: "virtio_console",
    config: "VIRTIO_CONSOLE",
    description: "virtio console port for qemu-guest-agent",
  },
  {
    id: "virtio-vsock",
    function: "vsock",
    form: "paravirt",
    transport: "virtio-pci",
    compatible: ["pci:1af4:1053", "virtio:19"],
    spec: "virtio 1.2, 5.10",
    driver: "vmw_vsock_virtio_transport",
    config: "VIRTIO_VSOCKETS",
    description: "virtio socket device, Unix sockets on the host",
  },
  {
    id: "zkr",
    function: "entropy",
    form: "direct",
    transport: "csr",
    compatible: ["isa:zkr"],
    spec: "RISC-V Cryptography Extensions I 1.0, Zkr",
    driver: "none: programs read it",
    config: "",
    description: "Zkr seed CSR",
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
    spec: "Android goldfish virtual hardware, RTC",
    driver: "goldfish_rtc",
    config: "RTC_DRV_GOLDFISH",
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
    spec: "SiFive test finisher; Linux binding syscon-poweroff",
    driver: "syscon-poweroff, syscon-reboot",
    config: "POWER_RESET_SYSCON",
    description: "SiFive test finisher as syscon power-off and reboot",
  },
  {
    id: "sbi-reset",
    function: "power",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:SRST"],
    spec: "SBI 2.0, SRST and SUSP",
    driver: "sbi",
    config: "RISCV_SBI",
    description: "SBI system reset, and SUSP for suspend to RAM",
  },
  {
    id: "sbi-hsm",
    function: "harts",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:HSM"],
    spec: "SBI 2.0, HSM",
    driver: "sbi, cpuidle-riscv-sbi",
    config: "RISCV_SBI",
    description: "SBI hart state management: start, stop, suspend",
  },
  {
    id: "counters",
    function: "counters",
    form: "direct",
    transport: "csr",
    compatible: ["isa:zicntr"],
    spec: "RISC-V Unprivileged ISA 20240411, Zicntr",
    driver: "riscv-pmu-sbi",
    config: "RISCV_PMU_SBI",
    description: "cycle and instret CSRs",
  },
  {
    id: "sbi-pmu",
    function: "counters",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:PMU"],
    spec: "SBI 2.0, PMU",
    driver: "riscv-pmu-sbi",
    config: "RISCV_PMU_SBI",
    description: "SBI performance monitoring: events of SBI itself, snapshots",
  },
  {
    id: "sbi-sta",
    function: "steal time",
    form: "paravirt",
    transport: "sbi",
    compatible: ["sbi:STA"],
    spec: "SBI 2.0, STA",
    driver: "paravirt",
    config: "PARAVIRT",
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
    spec: "PCI Express Base 4.0, 7.2.2 (ECAM); PCI Local Bus 3.0",
    driver: "pci-host-generic",
    config: "PCI_HOST_GENERIC",
    description: "PCIe host bridge with ECAM, INTx; MSI-X with --irqchip aia",
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
