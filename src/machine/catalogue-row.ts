// What a row of the catalogue says.

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
  /** What drives it in Linux: the driver's or module's name, "firmware" where firmware does, "none: ..." where programs use it themselves. */
  driver: string;
  /** The symbol of Linux's configuration that builds the driver, without CONFIG_; "" where there is none. */
  config: string;
  description: string;
}
