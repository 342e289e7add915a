// Configurations of kernels built for our machine. Each is Linux's allnoconfig (everything off
// that can be off) and the options listed here, all built in: such a kernel needs no
// modules, and is built in minutes where Debian's takes hours.

/** What `paravane guest kernel --config` can make. */
export type KernelConfigName = "paravirt" | "small";

/** Without CONFIG_; `=y` where nothing else is said. A `?` at the end: not every source that we know has it. */
type Options = readonly string[];

/** Processes, memory, files: what Debian's programs expect of any kernel. A portable one is an EFI program, which none of ours has to be. */
const SYSTEM: Options = [
  ...["MMU", "64BIT", "ARCH_RV64I", "FPU", "RISCV_ISA_C", "RISCV_ISA_ZBA", "RISCV_ISA_ZBB", "RISCV_ISA_ZICBOM"],
  ...["RISCV_ISA_ZICBOZ", "RISCV_ISA_SVNAPOT", "RISCV_ISA_SVPBMT", "RISCV_ALTERNATIVE", "RISCV_SBI", "CMODEL_MEDANY"],
  ...["SMP", "NR_CPUS=8", "HOTPLUG_CPU", "HZ_100", "NO_HZ_IDLE", "HIGH_RES_TIMERS", "PREEMPT_VOLUNTARY?"],
  ...["EXPERT", "NONPORTABLE", "EFI=n", "RELOCATABLE=n", "RANDOMIZE_BASE=n", "ARCH_VIRT", "SUSPEND=n"],
  ...[
    "PRINTK",
    "PRINTK_TIME",
    "BUG",
    "KALLSYMS",
    "ELF_CORE=n",
    "SYSVIPC",
    "POSIX_MQUEUE",
    "MULTIUSER",
    "MISC_FILESYSTEMS",
  ],
  ...["SYSFS_SYSCALL", "FHANDLE", "POSIX_TIMERS", "FUTEX", "EPOLL", "SIGNALFD", "TIMERFD", "EVENTFD", "SHMEM", "AIO"],
  ...["ADVISE_SYSCALLS", "MEMBARRIER", "RSEQ", "CROSS_MEMORY_ATTACH", "FILE_LOCKING", "INOTIFY_USER"],
  ...["CGROUPS", "CGROUP_SCHED", "NAMESPACES", "BINFMT_ELF", "BINFMT_SCRIPT", "COREDUMP=n", "SECCOMP", "TASKSTATS"],
  ...["BLK_DEV_INITRD", "RD_GZIP", "PROC_FS", "PROC_SYSCTL", "PROC_PAGE_MONITOR", "SYSFS", "TMPFS", "TMPFS_XATTR"],
  ...["DEVTMPFS", "DEVTMPFS_MOUNT", "UNIX98_PTYS", "TTY", "VT=n", "DEVMEM=n", "IKCONFIG", "IKCONFIG_PROC"],
  ...[
    "SLUB",
    "COMPACTION",
    "MIGRATION",
    "SWAP",
    "TRANSPARENT_HUGEPAGE",
    "TRANSPARENT_HUGEPAGE_MADVISE",
    "VM_EVENT_COUNTERS",
  ],
  ...["CRYPTO", "CRYPTO_CRC32C?", "CRC32"],
];

/** Devices of the machine in every kernel: interrupts, time, consoles, disks, entropy, power. */
const MACHINE: Options = [
  ...["SIFIVE_PLIC", "RISCV_TIMER", "RISCV_INTC", "OF", "SERIAL_EARLYCON", "SERIAL_EARLYCON_RISCV_SBI"],
  ...["SERIAL_8250", "SERIAL_8250_CONSOLE", "SERIAL_OF_PLATFORM", "HVC_DRIVER", "VIRTIO_CONSOLE"],
  ...[
    "POWER_RESET",
    "POWER_RESET_SYSCON",
    "POWER_RESET_SYSCON_POWEROFF",
    "MFD_SYSCON",
    "RTC_CLASS",
    "RTC_DRV_GOLDFISH",
    "GOLDFISH",
  ],
  ...[
    "PCI",
    "PCI_HOST_GENERIC",
    "PCI_MSI",
    "VIRTIO_MENU",
    "VIRTIO",
    "VIRTIO_MMIO",
    "VIRTIO_PCI",
    "VIRTIO_PCI_LEGACY=n",
  ],
  ...["HW_RANDOM", "HW_RANDOM_VIRTIO", "BLOCK", "BLK_DEV", "BLK_DEV_LOOP", "VIRTIO_BLK", "BLK_DEV_NVME"],
  ...["EXT4_FS", "EXT4_USE_FOR_EXT2", "EROFS_FS", "OVERLAY_FS", "MSDOS_PARTITION", "EFI_PARTITION"],
  ...["NET", "INET", "UNIX", "PACKET", "NETDEVICES", "NET_CORE", "VIRTIO_NET", "VIRTIO_BALLOON"],
];

/** The devices that "small" does without. */
const MORE_DEVICES: Options = [
  ...["ATA", "SATA_AHCI", "SCSI", "BLK_DEV_SD", "ETHERNET", "NET_VENDOR_INTEL", "E1000", "E1000E"],
  ...["NET_9P", "NET_9P_VIRTIO", "NETWORK_FILESYSTEMS", "9P_FS", "VSOCKETS", "VIRTIO_VSOCKETS"],
  ...["RISCV_APLIC", "RISCV_APLIC_MSI", "RISCV_IMSIC", "PERF_EVENTS", "RISCV_PMU", "RISCV_PMU_SBI", "NETFILTER=n"],
];

/** What Debian leaves out, or has as modules, for guests of a hypervisor. */
const PARAVIRT: Options = [
  ...["PARAVIRT", "PARAVIRT_TIME_ACCOUNTING", "HVC_RISCV_SBI"],
  ...[
    "SPARSEMEM_MANUAL",
    "SPARSEMEM_VMEMMAP",
    "MEMORY_HOTPLUG",
    "MEMORY_HOTREMOVE",
    "CONTIG_ALLOC",
    "CMA",
    "VIRTIO_MEM",
    // What is plugged is in use at once, and can be unplugged again.
    "MHP_DEFAULT_ONLINE_TYPE_ONLINE_MOVABLE",
    // Makes a struct page 64 bytes, so that those of a section of 128 MiB are 2 MiB. Without it they are 56: sections share
    // mappings of 2 MiB, and Linux for RISC-V unmaps a neighbour's with those of a section that it removes.
    "MEMCG",
  ],
  ...[
    "PAGE_REPORTING",
    "ZONE_DEVICE",
    "LIBNVDIMM",
    "BLK_DEV_PMEM",
    "ND_PFN",
    "NVDIMM_PFN",
    "NVDIMM_DAX",
    "DAX",
    "FS_DAX",
    "VIRTIO_PMEM",
  ],
];

/** From Linux 6.16 on, which the release sid has. */
const VIRTIO_RTC: Options = ["PTP_1588_CLOCK", "VIRTIO_RTC?", "VIRTIO_RTC_PTP?", "VIRTIO_RTC_CLASS?"];

export const KERNEL_CONFIGS: Record<KernelConfigName, Options> = {
  paravirt: [...SYSTEM, ...MACHINE, ...MORE_DEVICES, ...PARAVIRT, ...VIRTIO_RTC],
  small: [...SYSTEM, ...MACHINE],
};

interface Setting {
  symbol: string;
  value: string;
  isOptional: boolean;
}

function settings(name: KernelConfigName): Setting[] {
  return KERNEL_CONFIGS[name].map((text) => {
    const [, symbol, value = "y", mark] = /^(\w+)(?:=(\w+))?(\?)?$/.exec(text) as RegExpExecArray;
    return { symbol: `CONFIG_${symbol}`, value, isOptional: mark !== undefined };
  });
}

/** What goes into the file that $KCONFIG_ALLCONFIG names. */
export function configFragment(name: KernelConfigName): string {
  return settings(name)
    .map(({ symbol, value }) => (value === "n" ? `# ${symbol} is not set\n` : `${symbol}=${value}\n`))
    .join("");
}

/** Symbols that `config`, a .config, does not have as asked: an option of another name, or one whose needs are not met. */
export function missingOptions(name: KernelConfigName, config: string): string[] {
  const lines = new Set(config.split("\n"));
  const isOn = (symbol: string) => config.includes(`\n${symbol}=`);
  return settings(name)
    .filter(({ isOptional }) => !isOptional)
    .filter(({ symbol, value }) => (value === "n" ? isOn(symbol) : !lines.has(`${symbol}=${value}`)))
    .map(({ symbol }) => symbol);
}
