// Backends by name: what `--net NAME,setting=value` and NetOptions.backend mean on a host.
// Each platform has a table of its own; one more backend is one more line in it.
import { OptionError } from "../errors.ts";
import type { NetBackend } from "./net.ts";

/** Settings by name, with their values in order: some may be given several times. */
export type NetSettings = Readonly<Record<string, readonly string[]>>;

/** A kind of backend. */
export interface NetBackendKind {
  /** What it is, for help. */
  description: string;
  /** As NetBackend has it. */
  dhcp?: boolean;
  /** The settings that it has; those with `many` may be given several times. */
  settings: Readonly<Record<string, { many?: boolean; description: string }>>;
  /**
   * Makes one. Settings are known ones, given as often as they may be; their values are unchecked.
   * @throws OptionError for a value that cannot be.
   */
  create(settings: NetSettings): NetBackend;
}

export type NetBackends = Readonly<Record<string, NetBackendKind>>;

/** Makes backend `name`. @throws OptionError if there is none, or a setting is not one of its own. */
export function createNetBackend(backends: NetBackends, name: string, settings: NetSettings): NetBackend {
  const kind = Object.hasOwn(backends, name) ? backends[name] : undefined;
  if (kind === undefined) {
    const names = Object.keys(backends);
    const advice = names.length === 0 ? "give a backend of your own" : `write ${names.join(" or ")}`;
    throw new OptionError(`network "${name}" is not known here: ${advice}`);
  }
  for (const [setting, values] of Object.entries(settings)) {
    const known = Object.hasOwn(kind.settings, setting) ? kind.settings[setting] : undefined;
    if (known === undefined) {
      const names = Object.keys(kind.settings);
      const advice = names.length === 0 ? "it has none" : `write ${names.join(", ")}`;
      throw new OptionError(`network ${name} has no setting "${setting}": ${advice}`);
    }
    if (values.length > 1 && !known.many) throw new OptionError(`network ${name}: give ${setting} once`);
  }
  return kind.create(settings);
}
