// What the library makes of a kernel's last words. The texts are Debian's 6.12 kernel's own.
import { describe, expect, it } from "vitest";
import { PanicWatch } from "../../src/guest/panic.ts";

const OOPS = `\
[   66.960660] Unable to handle kernel paging request at virtual address ff1e20b73e069d08\r
[   66.960880] Oops [#1]\r
[   66.961565] epc : do_huge_pmd_wp_page+0xf8/0x59a\r
[   66.961769]  ra : do_huge_pmd_wp_page+0xc0/0x59a\r
[   66.961972] epc : ffffffff802e3088 ra : ffffffff802e3050 sp : ff2000000032ba80\r
[   66.964204] status: 0000000200000120 badaddr: ff1e20b73e069d08 cause: 000000000000000d\r
[   66.964414] [<ffffffff802e3088>] do_huge_pmd_wp_page+0xf8/0x59a\r
[   66.994307] ---[ end trace 0000000000000000 ]---\r
[   66.995000] Kernel panic - not syncing: Fatal exception\r
`;

const SYSRQ = `\
[   19.402160] sysrq: Trigger a crash\r
[   19.402790] Kernel panic - not syncing: sysrq triggered crash\r
[   19.404120] Call Trace:\r
[   19.404330] [<ffffffff80006e46>] dump_backtrace+0x1c/0x24\r
[   19.405000] [<ffffffff80a5cd20>] panic+0xfc/0x2f6\r
[   19.405210] [<ffffffff806e2a1a>] sysrq_reset_seq_param_set+0x0/0x8e\r
[   19.405430] [<ffffffff806e3214>] __handle_sysrq+0x9a/0x176\r
`;

function watch(text: string, pieces = 1): PanicWatch {
  const watch = new PanicWatch();
  const bytes = new TextEncoder().encode(text);
  const step = Math.ceil(bytes.length / pieces);
  for (let at = 0; at < bytes.length; at += step) watch.see(bytes.subarray(at, at + step));
  return watch;
}

describe("the watch for panics", () => {
  it.each([1, 7, 500])("reads the trap out of an oops that came in %d pieces", (pieces) => {
    const seen = watch(OOPS, pieces);
    expect(seen.suspected).toBe(true);
    expect(seen.report()).toEqual({
      reason: "Fatal exception",
      pc: 0xffffffff802e3088n,
      cause: 13n,
      tval: 0xff1e20b73e069d08n,
    });
  });

  it("finds who called panic() where nothing trapped", () => {
    expect(watch(SYSRQ).report()).toMatchObject({ reason: "sysrq triggered crash", pc: 0xffffffff806e2a1an });
  });

  it("suspects nothing of other text, however long", () => {
    expect(watch("Kernel panic is a song\n".repeat(10_000), 50).suspected).toBe(false);
  });

  it("believes the message until every hart has gone on since", () => {
    const seen = watch(OOPS);
    seen.look([false, true]);
    seen.look([false, true]);
    expect(seen.suspected).toBe(true);
    seen.look([true, false]);
    expect(seen.suspected).toBe(false);

    const again = watch(OOPS + OOPS);
    again.look([true, false]);
    again.see(new TextEncoder().encode("[   67.1] Kernel panic - not syncing: again\r\n"));
    again.look([false, true]);
    expect(again.suspected).toBe(true);
  });

  it("forgets on demand, and keeps the last lines", () => {
    const seen = watch(OOPS);
    seen.clear();
    expect(seen.suspected).toBe(false);
    expect(seen.tail(1)).toBe("[   66.995000] Kernel panic - not syncing: Fatal exception");
  });
});
