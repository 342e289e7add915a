// What a booted Linux drives, row by row of the catalogue, to be compared with what was foretold: devices with a driver
// bound to them as sysfs shows them, and what the kernel says of the SBI. Asked on the console, which every guest has.
import { aliasMatches, modalias, parseHardwareId } from "../../../src/compat/hardware-id.ts";
import type { NodeGuestOptions, Verdict } from "../../../src/index.ts";
import { CATALOGUE, type CatalogueRow } from "../../../src/machine/catalogue.ts";
import { watched } from "./watched.ts";

export interface Observed {
  /** Ids of rows whose device is driven. */
  driven: Set<string>;
  /** Rows about which this boot says something. */
  told: Set<string>;
  notices: string[];
  /** Hypercalls by name. */
  calls: string[];
}

/** One line, so that the console's editing of lines is in nobody's way; the marks are put together by the shell. */
const QUESTIONS = [
  "for d in /sys/bus/*/devices/*; do [ -e $d/driver ] && [ -e $d/modalias ] && echo D@$(cat $d/modalias); done",
  "dmesg | sed -n 's/.*SBI \\([A-Z]*\\) extension .*/S@\\1/p'",
  "dmesg | grep -q 'steal-time' && echo S@STA",
  "dmesg | grep -q 'via sstc' && echo I@sstc",
  "for b in /sys/class/block/*; do echo B@$(basename $b); done",
  "mkdir -p /mnt; mount -t 9p -o trans=virtio there /mnt 2>/dev/null && echo F@9p",
].join("; ");

/** A block device that only comes when all of a stack of drivers is there. */
const BLOCK_DEVICES: Record<string, RegExp> = {
  ahci: /^sd/,
  "virtio-pmem": /^pmem/,
  "virtio-blk": /^vd/,
  nvme: /^nvme/,
};
/** Rows that need more than to be attached to show themselves, or are a host's affair. */
const SILENT = [
  ...["aia", "imsic-ipi", "clint-timer", "clint-ipi", "zkr", "time-csr", "counters", "net-switch"],
  ...["ns16550a-serial", "nvme-dbbuf", "sbi-console", "virtio-agent-port"],
];

/** Boots, looks, and switches off. `attached` are ids of rows whose devices the options attach. */
export async function observe(options: NodeGuestOptions, attached: readonly string[]): Promise<Observed> {
  const notices: string[] = [];
  const { guest, until } = await watched({ ...options, onNotice: (line) => notices.push(line) });
  // On a serial line the shell asks for the place of the cursor behind its prompt.
  await until(/~ # /);
  guest.console.write(`stty -echo; PS1=; ${QUESTIONS}; echo E""ND\n`);
  const said = await until(/^END\r?$/m);
  const calls = guest.counters().filter(({ kind }) => kind === "hypercall");
  guest.close();
  const facts = (mark: string) => [...said.matchAll(new RegExp(`^${mark}@(.*?)\\r?$`, "gm"))].map((match) => match[1]);
  const [aliases, extensions, isa, blocks, files] = ["D", "S", "I", "B", "F"].map(facts);

  const isDriven = (row: CatalogueRow): boolean => {
    if (row.id === "virtio-9p") return files.includes("9p");
    if (row.id in BLOCK_DEVICES) return blocks.some((name) => BLOCK_DEVICES[row.id].test(name));
    if (row.id === "finisher") return aliases.some((it) => it.includes("Csyscon-poweroff"));
    if (row.id === "sstc") return isa.includes("sstc");
    const ids = row.compatible.map(parseHardwareId);
    const [virtio] = ids.filter(({ bus }) => bus === "virtio");
    return (virtio ? [virtio] : ids).some((id) => {
      if (id.bus === "sbi") return extensions.includes(id.extension);
      const alias = modalias(id) ?? "";
      switch (id.bus) {
        case "of":
          return aliases.some((it) => it.startsWith("of:") && it.split("C").includes(id.compatible));
        case "pci":
          return aliases.some((it) => it.startsWith(alias.slice(0, "pci:v00008086d0000100E".length)));
        case "virtio":
          return aliases.some((it) => it.startsWith(alias.slice(0, "virtio:d00000001".length)));
        default:
          return aliases.some((it) => aliasMatches(`pci:*${alias.slice(alias.indexOf("bc"))}*`, it));
      }
    });
  };
  const rows: readonly CatalogueRow[] = CATALOGUE;
  const told = rows.filter(({ id }) => attached.includes(id) && !SILENT.includes(id));
  return {
    driven: new Set(told.filter(isDriven).map(({ id }) => id)),
    told: new Set(told.map(({ id }) => id)),
    notices,
    calls: calls.map(({ name }) => name),
  };
}

/** Rows with what was foretold and what was seen, where these differ; and how many were compared. */
export function compare(
  verdicts: readonly Verdict[],
  { driven, told }: Observed,
): { differ: string[]; compared: number } {
  const compared = verdicts.filter(({ device }) => told.has(device));
  const differ = compared
    .filter(({ device, works }) => works !== driven.has(device))
    .map(
      ({ device, works, missing }) =>
        `${device}: foretold ${works ? "works" : `lacks ${missing}`}, seen ${driven.has(device)}`,
    );
  return { differ, compared: compared.length };
}
