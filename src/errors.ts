// The library's errors. Each message says what happened, where, and what to do about it.
// `cause` holds the error underneath where there is one.

/** Base of everything this library throws on purpose. */
export class ParavaneError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An option has a value that cannot work: the caller can correct it. */
export class OptionError extends ParavaneError {}

/** A guest and the hardware do not fit, found out before the boot; `missing` says what each form lacks. */
export class CompatibilityError extends ParavaneError {
  readonly missing: readonly { function: string; device: string; missing: string }[];
  constructor(message: string, missing: readonly { function: string; device: string; missing: string }[] = []) {
    super(message);
    this.missing = missing;
  }
}

/** The machine cannot be set up: the host lacks memory, or a file of the package is missing. */
export class HostError extends ParavaneError {}

/** A hosted guest is not in a state in which that can be done. */
export class GuestStateError extends ParavaneError {}

/** Negative error numbers that disk backends answer the engine with (Linux's numbers). */
export const Errno = { IO: -5, NO_SPACE: -28, READ_ONLY: -30 } as const;

/** A disk backend could not do what was asked. `errno` is what the guest is told. */
export class DiskError extends ParavaneError {
  readonly errno: number;
  constructor(message: string, errno: number, options?: { cause?: unknown }) {
    super(message, options);
    this.errno = errno;
  }
}

/** What is known about the instruction at which a guest failed. */
export interface CrashSite {
  /** Address of the instruction, or undefined if the guest did not say. */
  pc?: bigint;
  /** The trap's cause (scause or mcause), bit 63 set for an interrupt. */
  cause?: bigint;
  /** The trap's value (stval or mtval): usually an address. */
  tval?: bigint;
  /** The instruction at `pc` as assembly text, if it can be read. */
  disassembly?: string;
  hart: number;
}

/** The guest can make no progress: its kernel panicked, or a trap's handler cannot be fetched. */
export class GuestCrash extends ParavaneError {
  readonly kind: "panic" | "double-fault";
  readonly site: CrashSite;
  /** The last lines of the console. */
  readonly log: string;
  constructor(kind: "panic" | "double-fault", message: string, site: CrashSite, log: string) {
    super(message);
    this.kind = kind;
    this.site = site;
    this.log = log;
  }
}

/** A command in the guest did not end in time, or could not be run at all. */
export class ExecError extends ParavaneError {
  readonly timedOut: boolean;
  constructor(message: string, options?: { cause?: unknown; timedOut?: boolean }) {
    super(message, options);
    this.timedOut = options?.timedOut ?? false;
  }
}

/** QEMU's guest agent refused a command, answered nonsense, or did not answer in time. */
export class AgentError extends ParavaneError {
  readonly timedOut: boolean;
  /** The agent's own class of error, such as "CommandNotFound", if it refused. */
  readonly agentClass: string | undefined;
  constructor(message: string, options?: { cause?: unknown; timedOut?: boolean; agentClass?: string }) {
    super(message, options);
    this.timedOut = options?.timedOut ?? false;
    this.agentClass = options?.agentClass;
  }
}
