// What does a call to the hypervisor cost the host: one that the engine serves, one that a function of the
// host's serves, and a register of an emulated device beside them? What does a budget add?
import { Map as PhysicalMap } from "../assembly/abi/memory-map.ts";
import { PARAVANE } from "../src/hypercall/catalogue.ts";
import { createGuest, defineHypercall, type GuestOptions } from "../src/index.ts";
import { encode } from "../src/isa/encode.ts";
import { ownCpu } from "./measure/cpu-time.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { median } from "./measure/statistics.ts";

const [ZERO, T0, T1, T2, A6, A7] = [0, 5, 6, 7, 16, 17];
const SRST = 0x5352_5354;
const HOST_EID = 0x0a00_0001;
/** Enough for what was asked at every refill: it limits nothing, and costs what it costs. */
const AMPLE = { size: 2 ** 40, refill_time: 1000 };

/** Marks, in nanoseconds. */
const NULL_MOST = 40;
const HOST_MOST = 400;
const BUDGET_MOST = 5;

function li(rd: number, value: number): number[] {
  const low = (value << 20) >> 20;
  return [encode("lui", { rd, imm: (value - low) | 0 }), encode("addi", { rd, rs1: rd, imm: low })];
}

/** A kernel's Image: `body` done `count` times with a7 = `eid`, then power-off. */
function program(eid: number, count: number, body: number[]): Uint8Array {
  const back = -4 * (body.length + 1);
  const words = [
    ...li(T0, count),
    ...li(T2, PhysicalMap.UART),
    ...li(A7, eid),
    encode("addi", { rd: A6, rs1: ZERO, imm: 0 }),
    ...body,
    encode("addi", { rd: T0, rs1: T0, imm: -1 }),
    encode("bne", { rs1: T0, rs2: ZERO, imm: back }),
    ...li(A7, SRST),
    encode("addi", { rd: 10, rs1: ZERO, imm: 0 }),
    encode("addi", { rd: 11, rs1: ZERO, imm: 0 }),
    encode("ecall"),
  ];
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, encode("jal", { rd: ZERO, imm: 64 }), true);
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, 4096n, true);
  bytes.set(new TextEncoder().encode("RISCV\0\0\0RSC\x05"), 0x30);
  for (const [n, word] of words.entries()) view.setUint32(64 + 4 * n, word, true);
  return bytes;
}

/** Host CPU milliseconds of a guest from its start to its end. */
async function cpuOf(kernel: Uint8Array, options: GuestOptions): Promise<number> {
  const before = ownCpu();
  const guest = await createGuest({ memory: "16M", ...options, kernel });
  const { status } = await guest.wait();
  if (status !== 0) throw new Error(`the guest ended with status ${status}`);
  return ownCpu() - before;
}

const ECALL = [encode("ecall")];
const READ = [encode("lbu", { rd: T1, rs1: T2, imm: 5 })];

const KINDS = [
  { name: "null call, served in the engine", eid: PARAVANE.eid, body: ECALL, share: 1, options: {} },
  {
    name: "null call with a budget",
    eid: PARAVANE.eid,
    body: ECALL,
    share: 1,
    options: { policy: { calls: { budgets: { paravane_null: { operations: AMPLE } } } } },
  },
  {
    name: "null call with a budget, and one for the guest",
    eid: PARAVANE.eid,
    body: ECALL,
    share: 1,
    options: { policy: { calls: { budgets: { paravane_null: { operations: AMPLE } } }, guest: { operations: AMPLE } } },
  },
  {
    name: "call served by a function of the host",
    eid: HOST_EID,
    body: ECALL,
    share: 8,
    options: {
      hypercalls: [defineHypercall({ eid: HOST_EID, fid: 0, name: "nothing", args: { n: "u32" }, handler: () => 0 })],
    },
  },
  { name: "read of a UART register", eid: 0, body: READ, share: 4, options: {} },
] as const;

async function run({ quick, progress }: Context): Promise<Report> {
  const calls = quick ? 4_000_000 : 16_000_000;
  const tasks = KINDS.flatMap(({ name, eid, body, share, options }) => {
    const count = calls / share;
    return [
      { name, run: () => cpuOf(program(eid, count, [...body]), { ...options }) },
      // The same loop with an addition in its place.
      {
        name: `${name}, quiet`,
        run: () => cpuOf(program(eid, count, [encode("addi", { rd: T1, rs1: T1, imm: 1 })]), { ...options }),
      },
    ];
  });
  const samples = await inTurns(tasks, quick ? 3 : 7, (round) => progress(`round ${round + 1}`));
  const perCall = KINDS.map(({ name, share }) => {
    const quiet = samples.get(`${name}, quiet`) ?? [];
    return (samples.get(name) ?? []).map((cpu, round) => ((cpu - quiet[round]) * 1e6 * share) / calls);
  });
  const [none, own, guest, host] = perCall;
  const beyond = (other: number[]) => median(other.map((ns, round) => ns - none[round]));
  return {
    columns: [
      { key: "what", title: "what the guest does" },
      { key: "ns", title: "host CPU ns", digits: 1 },
    ],
    rows: KINDS.map(({ name }, n) => ({ what: name, ns: median(perCall[n]) })),
    marks: [
      { what: "null call", value: median(none), limit: NULL_MOST, atLeast: false, unit: "ns" },
      { what: "call served by the host", value: median(host), limit: HOST_MOST, atLeast: false, unit: "ns" },
      { what: "a budget of the call's adds", value: beyond(own), limit: BUDGET_MOST, atLeast: false, unit: "ns" },
      { what: "and one of the guest's", value: beyond(guest), limit: BUDGET_MOST, atLeast: false, unit: "ns" },
    ],
    notes: [
      "each beyond the same loop with an addition in the call's place, translated code; the marks are the project's promises",
    ],
  };
}

export const hypercalls: Benchmark = { question: "What does a call to the hypervisor cost the host?", run };
