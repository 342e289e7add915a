// Figures of all guests for Prometheus.
import { Counter, Gauge, Registry } from "prom-client";
import type { Hypervisor } from "../../../hypervisor/hypervisor.ts";
import type { HostedGuestOptions } from "../hypervisor.ts";

const STATES = ["created", "booting", "running", "paused", "stopping", "stopped", "crashed"] as const;

/** In Prometheus's text format: its content type, and the text. */
export async function metricsOf(hypervisor: Hypervisor<HostedGuestOptions>): Promise<[type: string, text: string]> {
  const registers = [new Registry()];
  const [registry] = registers;
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `paravane_${name}`, help, labelNames, registers });
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name: `paravane_${name}`, help, labelNames, registers });

  gauge("memory_bytes", "Bytes that all guests together may take").set(hypervisor.memory);
  gauge("memory_reserved_bytes", "Bytes set aside for the guests that there are").set(hypervisor.reserved);
  const states = gauge("guest_state", "1 for the state that the guest is in", ["guest", "state"]);
  const labels = ["guest"];
  const instructions = counter("guest_instructions_total", "Instructions retired since its start", labels);
  const seconds = counter("guest_seconds_total", "Guest time since its start", labels);
  const busy = counter("guest_busy_seconds_total", "Host time in which its worker was busy", labels);
  const refusals = counter("guest_hypercalls_refused_total", "Hypercalls refused since its start", labels);
  const exits = counter("guest_exits_total", "Exits since its start, by cause", ["guest", "kind", "name"]);
  const memory = gauge("guest_memory_bytes", "Bytes of its memory, by what they are", ["guest", "kind"]);

  const each = [...hypervisor.guests.values()].map(async (guest) => {
    for (const state of STATES) states.set({ guest: guest.id, state }, guest.state === state ? 1 : 0);
    if (guest.state !== "running" && guest.state !== "paused") return;
    const of = { guest: guest.id };
    const [statistics, counts] = await Promise.all([guest.statistics(), guest.counters()]);
    instructions.inc(of, statistics.instructions);
    seconds.inc(of, statistics.seconds);
    busy.inc(of, statistics.busySeconds);
    refusals.inc(of, statistics.refusals);
    for (const { kind, name, count } of counts) exits.inc({ ...of, kind, name }, Number(count));
    for (const [kind, bytes] of Object.entries(statistics.memory)) memory.set({ ...of, kind }, bytes);
  });
  // A guest may end while it is asked: then it has no figures.
  await Promise.allSettled(each);
  return [registry.contentType, await registry.metrics()];
}
