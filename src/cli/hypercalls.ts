// paravane hypercalls [--json | --header | --stub]: what a guest can call.
import { SbiExtension } from "../../assembly/abi/sbi.ts";
import type { CallRow } from "../hypercall/call-row.ts";
import { CALLS, EXTENSIONS, hexId } from "../hypercall/catalogue.ts";
import { hypercallHeader, hypercallStub } from "../hypercall/guest-sources.ts";
import { columns } from "./columns.ts";
import { Ending, Status } from "./status.ts";

export interface HypercallsArguments {
  json?: boolean;
  header?: boolean;
  stub?: boolean;
}

function extensionName({ eid }: CallRow): string {
  if (eid <= SbiExtension.LEGACY_SHUTDOWN) return "legacy";
  return EXTENSIONS.find((extension) => extension.eid === eid)?.name ?? hexId(eid);
}

function table(calls: readonly CallRow[]): string {
  const lines = calls.map((row, n) => [
    n > 0 && extensionName(calls[n - 1]) === extensionName(row) ? "" : extensionName(row),
    hexId(row.eid),
    String(row.fid),
    row.name,
    row.args.map(({ name, type }) => `${name}: ${type}`).join(", "),
    row.served,
    row.cost,
    row.spec,
    row.version,
  ]);
  const head = ["extension", "EID", "FID", "call", "arguments", "served by", "cost", "specification", "since"];
  return `${columns([head, ...lines]).join("\n")}\n`;
}

export function printHypercalls({ json, header, stub }: HypercallsArguments): void {
  if ([json, header, stub].filter(Boolean).length > 1) {
    throw new Ending(Status.USAGE, "--json, --header and --stub exclude each other: give one of them");
  }
  const text = json
    ? `${JSON.stringify(CALLS, null, 2)}\n`
    : header
      ? hypercallHeader()
      : stub
        ? hypercallStub()
        : table(CALLS);
  process.stdout.write(text);
}
