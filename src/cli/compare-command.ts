// paravane compare [--guest debian|probe] [--suite NAME,...] [--json [F]] [--quick]
// paravane compare --overtax [--noisy N] [--svg F] [--json [F]] [--quick]
import { Command, InvalidArgumentError, Option } from "commander";
import { SUITES, type Suite } from "../compare/index.ts";
import { type CompareArguments, compare } from "./compare.ts";
import { wholeNumber } from "./option-values.ts";

function suites(text: string): Suite[] {
  const names = text.split(",");
  const unknown = names.find((name) => !SUITES.includes(name as Suite));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none of ${SUITES.join(", ")}.`);
  // In their own order, each once.
  return SUITES.filter((suite) => names.includes(suite));
}

/** `shared` are the options that other commands have too. */
export function compareCommand(shared: Option[]): Command {
  const command = new Command("compare")
    .description("measure every function in each of its forms (emulated, paravirtual, direct) on one unmodified guest")
    .addOption(
      new Option("--guest <name>", "debian (the default where it can be made), or the bare-metal probe").choices([
        "debian",
        "probe",
      ]),
    )
    .addOption(new Option("--suite <names>", `some of ${SUITES.join(",")}`).argParser(suites));
  for (const option of shared) command.addOption(option);
  return command
    .option("--quick", "fewer operations, and one boot fewer")
    .option("--json [file]", "writes the result as JSON to a file; without one, to stdout instead of the table")
    .option(
      "--overtax",
      "instead, what noisy guests cost a quiet one as they raise their call rate, with and without budgets",
    )
    .addOption(
      new Option("--noisy <n>", "noisy guests of --overtax at a time, 1 to 16 (default: one a core)").argParser(
        wholeNumber(1, 16),
      ),
    )
    .option("--svg <file>", "draws what --overtax finds")
    .option("--quiet", "no progress on stderr")
    .action((options: CompareArguments) => compare(options));
}
