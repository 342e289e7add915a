// paravane check: which forms of which functions will work for a guest, before it is booted.
import type { Verdict } from "../compat/verdict.ts";
import { checkGuest } from "../index.ts";
import type { Form } from "../machine/catalogue-row.ts";
import { columns } from "./columns.ts";
import { readPolicy } from "./policy-option.ts";
import { Ending, Status, say } from "./status.ts";

export interface CheckArguments {
  guest?: "debian";
  kernel?: string;
  initrd?: string;
  root?: string;
  firmware?: string;
  dtb?: string;
  policy?: string;
  hardware?: string;
  prefer?: Form;
  json?: boolean;
}

/** Functions once, their forms below each other; the best is marked. */
function table(verdicts: readonly Verdict[]): string[] {
  const functions = [...new Set(verdicts.map((it) => it.function))];
  const rows = functions.flatMap((name) =>
    verdicts
      .filter((it) => it.function === name)
      .map(({ form, device, works, missing, chosen }, i) => [
        ...[i === 0 ? name : "", form, device],
        works ? (chosen ? "yes, best" : "yes") : "no",
        missing === null ? "" : `lacks ${missing}`,
      ]),
  );
  return columns([["function", "form", "device", "works", ""], ...rows]);
}

export async function check(options: CheckArguments): Promise<void> {
  const { guest, kernel, initrd, root, firmware, dtb, json } = options;
  if (guest !== undefined && kernel !== undefined) {
    throw new Ending(Status.USAGE, "--guest and --kernel exclude each other: give one of them");
  }
  const isDefault = [kernel, root, firmware, dtb].every((it) => it === undefined);
  const policy = options.policy === undefined ? undefined : await readPolicy(options.policy);
  const verdicts = await checkGuest({
    ...{ kernel, initrd, root, firmware, dtb, policy, hardware: options.hardware, prefer: options.prefer },
    guest: guest ?? (isDefault ? "debian" : undefined),
    onNotice: json ? undefined : say,
  });
  const text = json ? JSON.stringify(verdicts, null, 2) : table(verdicts).join("\n");
  process.stdout.write(`${text}\n`);
}
