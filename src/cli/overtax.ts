// paravane compare --overtax: the table on stdout, the picture and JSON in files where they are asked for.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drawOvertax, formatOvertax, type OvertaxHost, runOvertax } from "../compare/overtax/index.ts";
import { createHypervisor } from "../platform/node/hypervisor.ts";
import { nodePlatform } from "../platform/node/platform.ts";

const DISK_BYTES = 16 << 20;

/** A host for runOvertax(), with a file of zeros that `remove` takes away. `probe` is the path of the probe's ELF file. */
export function overtaxHost(probe: string): OvertaxHost & { remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "paravane-overtax-"));
  const diskPath = join(folder, "disk");
  writeFileSync(diskPath, new Uint8Array(DISK_BYTES));
  return {
    createHypervisor,
    readProbe: () => readFile(probe),
    diskPath,
    now: () => performance.now(),
    startTimer: nodePlatform.startTimer,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface OvertaxRun {
  probe: string;
  noisyGuests?: number;
  machine: Record<string, string | number>;
  quick: boolean;
  progress(line: string): void;
}

/** What was found: as text, as a picture, as JSON. */
export async function overtax(run: OvertaxRun): Promise<{ text: string; svg: string; json: string }> {
  const host = overtaxHost(run.probe);
  try {
    const found = await runOvertax({ host, ...run });
    return { text: formatOvertax(found), svg: drawOvertax(found), json: `${JSON.stringify(found, null, 2)}\n` };
  } finally {
    host.remove();
  }
}
