// Errors from one thread to another: a clone keeps neither the class nor what its own
// fields say.
import { AgentError, DiskError, ExecError, GuestCrash, HostError, OptionError, ParavaneError } from "../errors.ts";
import { BootError } from "../machine/boot-error.ts";

export interface WireError {
  name: string;
  message: string;
  /** Whatever else the class has, as plain data. */
  fields: Record<string, unknown>;
}

const FIELDS = ["timedOut", "errno", "agentClass", "kind", "site", "log"] as const;

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), fields: {} };
  const fields: Record<string, unknown> = {};
  for (const key of FIELDS) if (key in error) fields[key] = (error as unknown as Record<string, unknown>)[key];
  return { name: error.name, message: error.message, fields };
}

export function fromWire({ name, message, fields }: WireError): Error {
  switch (name) {
    case "OptionError":
      return new OptionError(message);
    case "BootError":
      return new BootError(message);
    case "HostError":
      return new HostError(message);
    case "DiskError":
      return new DiskError(message, fields.errno as number);
    case "ExecError":
      return new ExecError(message, { timedOut: fields.timedOut as boolean });
    case "AgentError":
      return new AgentError(message, {
        timedOut: fields.timedOut as boolean,
        agentClass: fields.agentClass as string | undefined,
      });
    case "GuestCrash":
      return new GuestCrash(
        fields.kind as GuestCrash["kind"],
        message,
        fields.site as GuestCrash["site"],
        fields.log as string,
      );
    default:
      return new ParavaneError(message);
  }
}
