// The options by which every command that runs a guest says which guest, and how it runs.
import { type Command, Option } from "commander";
import { NET_MODELS } from "../guest/net-options.ts";
import { listExtensions } from "../machine/cpu.ts";
import { NET_BACKENDS } from "../platform/node/net-backends.ts";
import type { NodeNetOptions } from "../platform/node/options.ts";
import { type DiskArgument, parseDisk } from "./disk-option.ts";
import { parseNet } from "./net-option.ts";
import { checked, codeCache, cpu, hotplugMemory, memory, seconds, seed, wholeNumber } from "./option-values.ts";
import { type PmemArgument, parsePmem } from "./pmem-option.ts";
import { parseSerial } from "./serial-option.ts";
import { parseShare, type ShareArgument } from "./share-option.ts";
import { parseVsock } from "./vsock-option.ts";

export function clockOption(): Option {
  return new Option("--clock <kind>", "where guest time comes from; virtual repeats exactly")
    .choices(["host", "virtual"])
    .default("host");
}

function tierOptions(): Option[] {
  return [
    new Option("--tier <kind>", "what runs guest code; auto translates to WebAssembly what is run often")
      .choices(["auto", "interpreter", "translator"])
      .default("auto"),
    new Option("--code-cache <size>", "host memory for translated code, 1M to 256M (default: 16M)").argParser(
      codeCache,
    ),
  ];
}

export function irqchipOption(): Option {
  return new Option(
    "--irqchip <kind>",
    "plic (the default), or aia: messages straight into the harts (MSI-X), and interrupts between them without a call",
  ).choices(["plic", "aia"]);
}

export const FORMS = ["paravirt", "emulated", "direct"];

export function hardwareOption(): Option {
  return new Option(
    "--hardware <file>",
    "a hardware model, as `paravane hardware --json` prints it (default: this host)",
  );
}

export function seedOption(): Option {
  return new Option("--seed <n>", "fixes everything random").argParser(seed);
}

function collectDisk(text: string, before: DiskArgument[] | undefined): DiskArgument[] {
  return [...(before ?? []), checked(parseDisk)(text)];
}

function collectNet(text: string, before: NodeNetOptions[] | undefined): NodeNetOptions[] {
  return [...(before ?? []), checked(parseNet)(text)];
}

function collectShare(text: string, before: ShareArgument[] | undefined): ShareArgument[] {
  return [...(before ?? []), checked(parseShare)(text)];
}

function collectPmem(text: string, before: PmemArgument[] | undefined): PmemArgument[] {
  return [...(before ?? []), checked(parsePmem)(text)];
}

/** Which guest, and how it runs: the options of every command that runs one of any kind. */
export function withGuestOptions(command: Command): Command {
  const extensions = listExtensions().map(({ name }) => name);
  command
    .addOption(new Option("--guest <name>", "a guest made for you (the default)").choices(["debian"]))
    .option("--kernel <file>", "Linux Image or ELF program for riscv64")
    .option("--initrd <file>", "cpio archive, plain or gzip")
    .option("--append <line>", "the whole kernel command line")
    .addOption(
      new Option(
        "--boot <way>",
        "paravirt: the kernel calls the hypervisor; firmware: M-mode firmware runs first",
      ).choices(["paravirt", "firmware"]),
    )
    .option(
      "--firmware <name>",
      "opensbi, u-boot (boots from --disk, else from a disk made for it), or a file; implies --boot firmware",
    )
    .addOption(new Option("--memory <size>", "guest RAM, up to 3G").default("512M").argParser(memory))
    .addOption(new Option("--harts <n>", "harts, 1 to 8").default(1).argParser(wholeNumber(1, 8)))
    .addOption(new Option("--cpu <rv64,NAME=off,...>", `takes extensions away: ${extensions.join(" ")}`).argParser(cpu))
    .addOption(irqchipOption())
    .addOption(
      new Option(
        "--prefer <form>",
        "the form of boot, console, disks and networks that are not told otherwise, where guest and hardware can have it; else another, and a notice",
      ).choices(FORMS),
    )
    .addOption(
      new Option("--require <form>", "the same, and nothing else: status 3 before the boot where it cannot be").choices(
        ["paravirt", "emulated"],
      ),
    )
    .addOption(hardwareOption())
    .addOption(
      new Option(
        "--disk <file[,if=nvme|ahci|virtio][,ro|,overlay]>",
        "attaches a disk; can be given again; nvme also takes dbbuf=on, virtio transport=pci|mmio, queues=N, ring=split|packed",
      ).argParser(collectDisk),
    )
    .addOption(
      new Option("--ring <form>", "virtqueues that virtio devices offer (default: split)").choices(["split", "packed"]),
    )
    .addOption(
      new Option(
        `--net <${Object.keys(NET_BACKENDS).join("|")}[,model=${NET_MODELS.join("|")}][,NAME=VALUE...]>`,
        "attaches a network device; can be given again",
      ).argParser(collectNet),
    )
    .addOption(
      new Option(
        "--share <dir:tag[,ro]>",
        "a folder for the guest: mount -t 9p -o trans=virtio TAG /mnt; can be given again",
      ).argParser(collectShare),
    )
    .addOption(
      new Option(
        "--serial <name[,socket=path|,file=path]>",
        "a second serial port, /dev/ttyS1 in the guest: a Unix socket for a program of the host (default: NAME.sock), or a file of what the guest says",
      ).argParser(checked(parseSerial)),
    )
    .addOption(
      new Option(
        "--vsock <path[,cid=N]>",
        "sockets between guest and host: a Unix socket, as Firecracker has it",
      ).argParser(checked(parseVsock)),
    )
    .addOption(
      new Option(
        "--pmem <file[,ro|,overlay]>",
        "a disk whose contents lie in guest memory: /dev/pmem0 and on; can be given again",
      ).argParser(collectPmem),
    )
    .option("--balloon", "a memory balloon, with statistics and reports of free pages")
    .addOption(
      new Option("--hotplug-memory <size>", "memory that can be plugged while the guest runs").argParser(hotplugMemory),
    )
    .option("--rtc", "a virtio real-time clock, which Linux drives from 6.16 on")
    .option("--agent", "a port for qemu-guest-agent, which the Debian guest starts if --tools are there")
    .option("--tools", "attaches the Debian guest's disk of tools (fio, stress-ng, ...)")
    .addOption(
      new Option(
        "--console <kind>",
        "the guest's console (default: virtio, behind U-Boot ns16550a); sbi is output only on Debian's kernel",
      ).choices(["ns16550a", "virtio", "sbi"]),
    )
    .option("--policy <file>", "JSON: what the guest may call, and how much it and its devices may do")
    .option("--exec <command>", "runs a command with /bin/sh -c; its output and status are ours")
    .addOption(new Option("--timeout <seconds>", "ends with status 124 after this time").argParser(seconds))
    .addOption(clockOption())
    .addOption(seedOption());
  for (const option of tierOptions()) command.addOption(option);
  return command;
}
