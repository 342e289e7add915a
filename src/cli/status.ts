// The CLI's exit statuses, and the one line in which every failure is told.

export const Status = {
  OK: 0,
  FAILURE: 1,
  USAGE: 2,
  /** Guest and hardware do not fit. */
  COMPATIBILITY: 3,
  TIMEOUT: 124,
  HANGUP: 129,
  INTERRUPTED: 130,
  BROKEN_PIPE: 141,
  TERMINATED: 143,
} as const;

/** Thrown to end with a status of our choice; the message, if there is one, is printed. */
export class Ending extends Error {
  readonly status: number;
  constructor(status: number, message = "") {
    super(message);
    this.status = status;
  }
}

/** Text as one line. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, "; ").trim();
}

export function say(text: string): void {
  process.stderr.write(`paravane: ${oneLine(text)}\n`);
}
