// Kernels of a few kilobytes with what the check looks for in real ones, laid out as Linux's own tools do.
import { gzipSync } from "node:zlib";

const encoder = new TextEncoder();
const text = (string: string): Uint8Array => encoder.encode(string);

export function bytesOf(...parts: (Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function padded(bytes: Uint8Array, to: number): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / to) * to);
  whole.set(bytes);
  return whole;
}

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** struct of_device_id. */
export function ofEntry(compatible: string): Uint8Array {
  const entry = new Uint8Array(200);
  entry.set(text(compatible), 64);
  return entry;
}

const ANY = 0xffff_ffff;
/** struct pci_device_id. */
export const pciEntry = (vendor: number, device: number, itsClass = 0, mask = 0): Uint8Array =>
  words(vendor, device, ANY, ANY, itsClass, mask, 0, 0, 0, 0);
/** struct virtio_device_id, and the end of its table. */
export const virtioTable = (...devices: number[]): Uint8Array => words(...devices.flatMap((it) => [it, ANY]), 0, 0);

/** lui and addi that put `value` together in a7. */
export function constant(value: number): Uint8Array {
  const upper = ((value + 0x800) >>> 12) & 0xf_ffff;
  const lower = value & 0xfff;
  return words(((upper << 12) | (17 << 7) | 0x37) >>> 0, ((lower << 20) | (17 << 15) | (17 << 7) | 0x1b) >>> 0);
}

/** An embedded configuration. */
export const ikconfig = (config: string): Uint8Array =>
  bytesOf(text("IKCFG_ST"), gzipSync(text(config)), text("IKCFG_ED"));

/** kallsyms: every byte is its own token but 1, which is "__initcall__kmod_". */
export function kallsyms(symbols: readonly string[], isNewer = false): Uint8Array {
  const PREFIX = "__initcall__kmod_";
  const tokens = Array.from({ length: 256 }, (_, i) => (i === 1 ? PREFIX : i === 0 ? "" : String.fromCharCode(i)));
  const names: number[] = [];
  const markers: number[] = [];
  symbols.forEach((symbol, i) => {
    if (i % 256 === 0) markers.push(names.length);
    const short = [...text(`t${symbol.replace(PREFIX, "\x01")}`)];
    names.push(...(short.length < 0x80 ? [short.length] : [(short.length & 0x7f) | 0x80, short.length >> 7]), ...short);
  });
  const table: number[] = [];
  const index: number[] = [];
  for (const token of tokens) {
    index.push(table.length);
    table.push(...[...token].map((c) => c.charCodeAt(0)), 0);
  }
  // Newer kernels leave no more room than each part's own alignment takes.
  return bytesOf(
    isNewer ? words(symbols.length) : words(symbols.length, 0),
    padded(Uint8Array.from(names), isNewer ? 4 : 8),
    padded(words(...markers), isNewer ? 4 : 8),
    padded(Uint8Array.from(table), isNewer ? 2 : 8),
    padded(new Uint8Array(Uint16Array.from(index).buffer), isNewer ? 2 : 8),
  );
}

export interface FakeKernel {
  release?: string;
  of?: string[];
  pci?: [vendor: number, device: number, itsClass?: number, mask?: number][];
  virtio?: number[];
  constants?: number[];
  strings?: string[];
  config?: string;
  symbols?: string[];
}

/** A RISC-V Image that ends where it begins, and says of itself what `parts` have. */
export function fakeKernel(parts: FakeKernel): Uint8Array {
  const header = new Uint8Array(64);
  header.set(words(0x0000_006f));
  new DataView(header.buffer).setBigUint64(8, 0x20_0000n, true);
  new DataView(header.buffer).setBigUint64(16, 0x10_0000n, true);
  header.set(text("RISCV\0\0\0RSC\x05"), 0x30);
  const { release = "6.12.1-test", of = [], pci = [], virtio = [], constants = [], strings = [], symbols } = parts;
  const pieces = [
    header,
    text(`\0Linux version ${release} (somebody) #1\0`),
    ...strings.map((string) => text(`\0${string}\0`)),
    ...of.map(ofEntry),
    new Uint8Array(200),
    ...pci.map((entry) => pciEntry(...entry)),
    virtioTable(...virtio),
    ...constants.map(constant),
    ...(parts.config === undefined ? [] : [ikconfig(parts.config)]),
    ...(symbols === undefined ? [] : [kallsyms(symbols)]),
    new Uint8Array(64),
  ];
  return bytesOf(...pieces.map((piece) => padded(piece, 8)));
}

/** Everything of Linux that the machine's devices are driven by, built in; what `without` names is left out. */
export function wholeKernel(without: RegExp = /^$/, extra: FakeKernel = {}): Uint8Array {
  const keep = (name: string) => !without.test(name);
  const drivers = [
    ...["virtio_pci", "virtio_mmio", "virtio_console", "virtio_blk", "virtio_net", "virtio_rng", "virtio_balloon"],
    ...["virtio_mem", "virtio_rtc", "virtio_pmem", "nd_pmem", "9pnet_virtio", "9p", "vmw_vsock_virtio_transport"],
    ...["nvme", "ahci", "sd_mod", "e1000", "e1000e", "hvc_riscv_sbi"],
  ].filter(keep);
  const VIRTIO: Record<string, number> = {
    ...{ virtio_net: 1, virtio_blk: 2, virtio_console: 3, virtio_rng: 4, virtio_balloon: 5, "9pnet_virtio": 9 },
    ...{ virtio_rtc: 17, vmw_vsock_virtio_transport: 19, virtio_mem: 24, virtio_pmem: 27 },
  };
  const PCI: Record<string, [number, number, number?, number?]> = {
    virtio_pci: [0x1af4, 0xffff_ffff],
    nvme: [0xffff_ffff, 0xffff_ffff, 0x010802, 0xffffff],
    ahci: [0xffff_ffff, 0xffff_ffff, 0x010601, 0xffffff],
    e1000: [0x8086, 0x100e],
    e1000e: [0x8086, 0x10d3],
  };
  const OF = [
    ...["sifive,plic-1.0.0", "riscv,imsics", "riscv,aplic", "google,goldfish-rtc", "syscon-poweroff", "ns16550a"],
    ...["pci-host-ecam-generic", ...(drivers.includes("virtio_mmio") ? ["virtio,mmio"] : [])],
  ].filter(keep);
  const EIDS = { TIME: 0x54494d45, IPI: 0x735049, HSM: 0x48534d, SRST: 0x53525354, DBCN: 0x4442434e, PMU: 0x504d55 };
  return fakeKernel({
    of: OF,
    pci: drivers.flatMap((name) => (PCI[name] ? [PCI[name]] : [])),
    virtio: drivers.flatMap((name) => (VIRTIO[name] ? [VIRTIO[name]] : [])),
    constants: Object.entries({ ...EIDS, STA: 0x535441 })
      .filter(([name]) => keep(name))
      .map(([, eid]) => eid),
    strings: ["sstc"].filter(keep),
    symbols: [...drivers.map((name, i) => `__initcall__kmod_${name}__${i}_${i}_init6`), "start_kernel"],
    ...extra,
  });
}
