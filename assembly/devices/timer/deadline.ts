// When the machine must next look at the time: the earliest of everything that waits for
// it. Like the bus, this is where devices meet; they do not know each other. A device with
// a timer of its own adds its `*Deadline` and `*Update` here.
import { budgetDeadline } from "../../hypercall/deadline";
import { disksDeadline, disksUpdate } from "../block/disk-interrupts";
import { e1000Deadline, e1000Update } from "../net/e1000";
import { rtcDeadline, rtcUpdate } from "../rtc/goldfish";
import { hartDeadline, updateHartTimers } from "./hart-timers";

/** Brings all timer interrupts up to date with the time. */
export function updateTimers(): void {
  updateHartTimers();
  rtcUpdate();
  e1000Update();
  disksUpdate();
}

/** The tick by which updateTimers must be called again, ~0 if nothing waits. */
export function nextDeadline(): u64 {
  return min(min(hartDeadline(), rtcDeadline()), min(min(e1000Deadline(), disksDeadline()), budgetDeadline()));
}
