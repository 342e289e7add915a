// The command line: commands, their options, and how mistakes in them are told. What several commands share: guest-options.ts.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { parseSize } from "../machine/memory-size.ts";
import { addonNames } from "../platform/node/compat/addons.ts";
import { type AddonsArguments, addons } from "./addons.ts";
import { type CheckArguments, check } from "./check.ts";
import { compareCommand } from "./compare-command.ts";
import { type DevicesArguments, printDevices } from "./devices.ts";
import { type ExplainArguments, explain } from "./explain.ts";
import { type GuestArguments, makeGuest, makeKernel } from "./guest.ts";
import { clockOption, FORMS, hardwareOption, irqchipOption, seedOption, withGuestOptions } from "./guest-options.ts";
import { type HardwareArguments, printHardware } from "./hardware.ts";
import { type HypercallsArguments, printHypercalls } from "./hypercalls.ts";
import { checked, wholeNumber } from "./option-values.ts";
import { type RunArguments, run } from "./run.ts";
import { parseListen, type ServeArguments, serve } from "./serve.ts";
import { Ending, Status } from "./status.ts";
import { usageMessage } from "./usage.ts";

function runCommand(): Command {
  return withGuestOptions(new Command("run").description("run a guest; on a terminal Ctrl-A X leaves"))
    .option("--json", "prints how it ended as JSON on stdout, and nothing else there")
    .option("--quiet", "no progress on stderr")
    .action((options: RunArguments) => run(options));
}

function explainCommand(): Command {
  const command = new Command("explain")
    .description("run a guest, and tell what the translator made of its code; the guest's output goes to stderr")
    .argument(
      "[address|symbol]",
      "tells all of the regions that have an instruction there, or begin in the symbol's code; without it, a table",
    );
  return withGuestOptions(command)
    .addOption(new Option("--top <n>", "regions in the table").default(30).argParser(wholeNumber(1, 1e6)))
    .option("--json", "prints JSON on stdout")
    .option("--quiet", "no progress on stderr")
    .action((where: string | undefined, options: ExplainArguments) => explain(where, options));
}

/** @throws Ending if an option is of the other kind of guest. */
function checkGuestArguments(name: string, { config, release, root }: GuestArguments): void {
  const stray = name === "kernel" ? { "--root": root } : { "--config": config, "--release": release };
  const [option] = Object.entries(stray).find(([, value]) => value !== undefined) ?? [];
  if (option === undefined) return;
  const other = name === "kernel" ? "debian" : "kernel";
  throw new Ending(Status.USAGE, `guest ${name} has no ${option}: leave it out, or write guest ${other}`);
}

function guestCommand(): Command {
  return new Command("guest")
    .description("make a guest's files, and print where they are")
    .argument(
      "<guest>",
      "debian, or kernel: one built from Debian's linux-source for this machine, for --kernel",
      (name: string) => {
        if (name !== "debian" && name !== "kernel") throw new InvalidArgumentError("write debian or kernel");
        return name;
      },
    )
    .addOption(
      new Option(
        "--config <name>",
        "of a kernel: paravirt has what Debian leaves out for guests of a hypervisor (the default), small starts fast",
      ).choices(["paravirt", "small"]),
    )
    .addOption(new Option("--release <name>", "of a kernel's source (default: trixie)").choices(["trixie", "sid"]))
    .option("--root", "also the root disk: Debian with systemd and ordinary programs, and the initrd to boot it with")
    .option("--json", "prints JSON")
    .option("--refresh", "looks for newer packages")
    .option("--quiet", "no progress on stderr")
    .action((name: string, options: GuestArguments) => {
      checkGuestArguments(name, options);
      return name === "kernel" ? makeKernel(options) : makeGuest(options);
    });
}

function devicesCommand(): Command {
  return new Command("devices")
    .description("list every function of the machine in every form: its specification, and the Linux driver for it")
    .option("--json", "prints JSON: [{function, form, device, spec, driver, config}]")
    .action((options: DevicesArguments) => printDevices(options));
}

function checkCommand(): Command {
  return new Command("check")
    .description(
      "say before the boot which forms of which functions will work for a guest, what the others lack, and which is best",
    )
    .addOption(new Option("--guest <name>", "a guest made for you (the default)").choices(["debian"]))
    .option("--kernel <file>", "Linux Image or ELF program for riscv64")
    .option("--initrd <file>", "cpio archives, plain or packed")
    .option(
      "--root <folder|image>",
      "the root file system, a folder or a disk image with ext4, EROFS or squashfs; its newest kernel if there is no --kernel",
    )
    .option("--firmware <name>", "opensbi, u-boot (OpenSBI, then U-Boot), or a file")
    .option("--dtb <file>", "the device tree from which a program that is no Linux takes its devices")
    .option("--policy <file>", "JSON: what the guest may call")
    .addOption(hardwareOption())
    .addOption(new Option("--prefer <form>", "where the best form begins (default: direct)").choices(FORMS))
    .option("--json", "prints JSON: [{function, form, device, works, missing, chosen}]")
    .action((options: CheckArguments) => check(options));
}

function addonsCommand(): Command {
  return new Command("addons")
    .description(
      "give an initrd or a disk image modules for paravirtual devices that its kernel's package has, and an agent",
    )
    .argument("<initrd|image>", "cpio archives, plain or packed; or a disk image with ext4, with or without partitions")
    .addOption(
      new Option("--add <name,...>", `what to add: ${addonNames().join(" ")}`).argParser(
        (text: string, before: string[] | undefined) => [...(before ?? []), ...text.split(",").filter(Boolean)],
      ),
    )
    .option(
      "--modules <folder>",
      "the kernel's modules, lib/modules/VERSION of its package (default: Debian's package)",
    )
    .option(
      "--release <version>",
      "the kernel that boots, as uname -r says it (default: the one whose modules are there)",
    )
    .option("-o, --output <file>", "the new initrd or image (default: the old one's name with .addons behind it)")
    .option("--in-place", "puts the new one in the place of the old one")
    .option("--quiet", "no progress on stderr")
    .action((input: string, options: AddonsArguments) => addons(input, options));
}

function hardwareCommand(): Command {
  return new Command("hardware")
    .description("print what this host offers its guests: ISA, page sizes, devices with their feature bits")
    .option("--json", "prints JSON: {schema, isa, pageSizes, devices: [{function, form, device, features}], host}")
    .action((options: HardwareArguments) => printHardware(options));
}

function serveCommand(): Command {
  return new Command("serve")
    .description("offer guests over HTTP, in Firecracker's shape: GET /openapi.json describes it")
    .option("--socket <path>", "listens on a Unix socket")
    .addOption(new Option("--listen <host:port>", "listens on TCP; needs a token").argParser(checked(parseListen)))
    .option("--token-file <file>", "a file with the token that requests carry (or PARAVANE_TOKEN)")
    .addOption(
      new Option(
        "--memory <size>",
        "what all guests may take together (default: nine tenths of this machine)",
      ).argParser(
        checked((text: string) => {
          parseSize(text, "memory");
          return text;
        }),
      ),
    )
    .addOption(
      new Option("--cores <n>", "cores that all guests together may use (default: this machine's)").argParser(
        wholeNumber(1, 1024),
      ),
    )
    .action((options: ServeArguments) => serve(options));
}

function hypercallsCommand(): Command {
  return new Command("hypercalls")
    .description("list every call to the hypervisor: its numbers, arguments, specification and cost")
    .option("--json", "prints JSON: [{eid, fid, name, spec, version, args, returns, served, cost}]")
    .option("--header", "prints a C header for kernels and programs of a guest")
    .option("--stub", "prints functions for the GNU assembler")
    .action((options: HypercallsArguments) => printHypercalls(options));
}

/** Runs the command line `args` (without node and script). Ends by throwing Ending where the status is not 0. */
export async function main(args: string[]): Promise<void> {
  const program = new Command("paravane")
    .description(packageJson.description)
    .version(packageJson.version, "--version")
    .showSuggestionAfterError();
  const commands = [
    runCommand(),
    explainCommand(),
    hypercallsCommand(),
    serveCommand(),
    guestCommand(),
    devicesCommand(),
    checkCommand(),
    addonsCommand(),
    hardwareCommand(),
    compareCommand([irqchipOption().default("plic"), clockOption(), seedOption()]),
  ];
  for (const command of [program, ...commands]) {
    // Mistakes come back to us as CommanderError; commander itself prints help and version alone.
    command.exitOverride().configureOutput({ writeErr: () => {}, outputError: () => {} });
  }
  for (const command of commands) program.addCommand(command);

  if (args.length === 0) {
    program.outputHelp();
    return;
  }
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    const command = commands.find((it) => it.name() === args[0]);
    throw new Ending(Status.USAGE, usageMessage(error, command ? `${command.name()} ` : ""));
  }
}
