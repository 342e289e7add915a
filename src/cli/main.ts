#!/usr/bin/env node
// The command `paravane`. Whatever goes wrong ends as one line on stderr and a status.
import { CompatibilityError } from "../errors.ts";
import { drained, onBrokenPipe } from "./output.ts";
import { main } from "./program.ts";
import { Ending, Status, say } from "./status.ts";

function statusOf(error: unknown): number {
  if (error instanceof Ending) {
    if (error.message !== "") say(error.message);
    return error.status;
  }
  say(error instanceof Error ? error.message : String(error));
  if (process.env.PARAVANE_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof CompatibilityError ? Status.COMPATIBILITY : Status.FAILURE;
}

// Commands that run a guest listen themselves, and flush its disks first.
onBrokenPipe(() => {
  if (process.stdout.listenerCount("error") === 1) process.exit(Status.BROKEN_PIPE);
});

let status: number = Status.OK;
try {
  await main(process.argv.slice(2));
} catch (error) {
  status = statusOf(error);
}
await drained(process.stdout);
await drained(process.stderr);
process.exit(status);
