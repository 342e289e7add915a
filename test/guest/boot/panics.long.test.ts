// Kernels that panic, each in its own boot: what the command says of them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { writeCpio } from "../../../src/image/cpio.ts";
import { file } from "../../../src/image/file-tree.ts";
import { paravane } from "../../cli/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "paravane-panics-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const initrd = join(folder, "initrd");
writeFileSync(initrd, writeCpio([file("etc/motd", "no init here")]));

const LINE = /^paravane: the guest's kernel panicked: (.*); hart 0, pc 0x[0-9a-f]+ \(\S.*\), cause \d+ \(.+\), tval/m;

it.each([
  ["no root file system", ["--append", "console=hvc0 panic=1 rdinit=/none root=/dev/none"], /Unable to mount root fs/],
  [
    "the same through OpenSBI",
    ["--firmware", "opensbi", "--initrd", initrd],
    /Unable to mount root fs|No working init/,
  ],
  ["too little memory", ["--memory", "64M"], /Failed to allocate/],
  ["a panic that nobody ends", ["--append", "console=hvc0 panic=0 rdinit=/none root=/dev/none"], /Unable to mount/],
])("%s is reported with pc, cause and disassembly", async (_name, args, reason) => {
  const { status, stderr } = await paravane("run", "--quiet", ...args);
  expect(LINE.exec(stderr)?.[1]).toMatch(reason);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(status).toBe(1);
});
