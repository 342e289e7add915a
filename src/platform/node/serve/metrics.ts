// Figures of all guests for Prometheus.
import type { ExitCount } from "../../../engine/exit-counters.ts";
import type { Hypervisor } from "../../../hypervisor/hypervisor.ts";
import type { HostedGuestOptions } from "../hypervisor.ts";
import { CONTENT_TYPE, Exposition } from "./exposition.ts";

const STATES = ["created", "booting", "running", "paused", "stopping", "stopped", "crashed"] as const;

/** In Prometheus's text format: its content type, and the text. */
export async function metricsOf(hypervisor: Hypervisor<HostedGuestOptions>): Promise<[type: string, text: string]> {
  const exposition = new Exposition();
  const gauge = (name: string, help: string) => exposition.metric(`paravane_${name}`, "gauge", help);
  const counter = (name: string, help: string) => exposition.metric(`paravane_${name}`, "counter", help);

  gauge("memory_bytes", "Bytes that all guests together may take")(hypervisor.memory);
  gauge("memory_reserved_bytes", "Bytes set aside for the guests that there are")(hypervisor.reserved);
  const states = gauge("guest_state", "1 for the state that the guest is in");
  const instructions = counter("guest_instructions_total", "Instructions retired since its start");
  const seconds = counter("guest_seconds_total", "Guest time since its start");
  const busy = counter("guest_busy_seconds_total", "Host time in which its worker was busy");
  const ran = counter("guest_ran_seconds_total", "Host time of its own turns, which weights share out");
  const heldBack = counter("guest_held_back_seconds_total", "Host time in which it waited for other guests' turns");
  const refusals = counter("guest_hypercalls_refused_total", "Hypercalls refused since its start");
  const exits = counter("guest_exits_total", "Exits since its start, by what they went to");
  const memory = gauge("guest_memory_bytes", "Bytes of its memory, by what they are");

  const each = [...hypervisor.guests.values()].map(async (guest) => {
    for (const state of STATES) states(guest.state === state ? 1 : 0, { guest: guest.id, state });
    if (guest.state !== "running" && guest.state !== "paused") return;
    const of = { guest: guest.id };
    const statistics = await guest.statistics();
    instructions(statistics.instructions, of);
    seconds(statistics.seconds, of);
    busy(statistics.busySeconds, of);
    ran(statistics.ranSeconds, of);
    heldBack(statistics.heldBackSeconds, of);
    refusals(statistics.refusals, of);
    for (const [{ kind, name, instance }, count] of sums(statistics.counters))
      exits(count, { ...of, kind, name, instance });
    for (const [kind, bytes] of Object.entries(statistics.memory)) memory(bytes, { ...of, kind });
    memory(statistics.overheadBytes, { ...of, kind: "overhead" });
  });
  // A guest may end while it is asked: then it has no figures.
  await Promise.allSettled(each);
  return [CONTENT_TYPE, exposition.text()];
}

/** Exits by device or extension: registers are too many to be told apart. */
function sums(counts: readonly ExitCount[]): [{ kind: string; name: string; instance: string }, number][] {
  const found = new Map<string, [{ kind: string; name: string; instance: string }, number]>();
  for (const { kind, name, instance, count } of counts) {
    const key = `${kind} ${name} ${instance}`;
    const entry = found.get(key) ?? [{ kind, name, instance: String(instance) }, 0];
    entry[1] += Number(count);
    found.set(key, entry);
  }
  return [...found.values()];
}
