// npm test: runs the projects of vitest.config.ts one after another.
//   node scripts/test.mjs [--long] [unit|guest|browser|long ...]
// --long adds the project long, and makes random tests longer (PARAVANE_LONG=1).
//
// First comes what they need: the Debian guest from its cache (made the first time), QEMU and
// Chromium through apt where we are root. What cannot be had is skipped with the reason
// printed; under .ci/run (PARAVANE_CI=1) a skip is a failure.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const args = process.argv.slice(2);
const long = args.includes("--long");
const asked = args.filter((arg) => !arg.startsWith("--"));
const strict = process.env.PARAVANE_CI === "1";
const say = (text) => process.stderr.write(`test: ${text}\n`);

/** Programs that tests use, and the Debian packages that hold them. */
const PROGRAMS = [
  { program: "qemu-system-riscv64", packages: ["qemu-system-misc"] },
  { program: "qemu-riscv64", packages: ["qemu-user"] },
  { program: "chromium", packages: ["chromium"] },
  { program: "tshark", packages: ["tshark"] },
  { program: "modprobe", packages: ["kmod"] },
  { program: "dtc", packages: ["device-tree-compiler"] },
  { program: "iperf3", packages: ["iperf3"] },
  { program: "mkfs.erofs", packages: ["erofs-utils"] },
  { program: "mksquashfs", packages: ["squashfs-tools"] },
  ...["mke2fs", "debugfs"].map((program) => ({ program, packages: ["e2fsprogs"] })),
  { program: "sfdisk", packages: ["fdisk"] },
  ...(long
    ? [
        { program: "passt", packages: ["passt"] },
        { program: "ssh", packages: ["openssh-client"] },
      ]
    : []),
  { program: "riscv64-unknown-elf-gcc", packages: ["gcc-riscv64-unknown-elf"] },
  { program: "riscv64-linux-gnu-gcc", packages: ["gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross"] },
  ...["flex", "bison", "bc"].map((program) => ({ program, packages: [program] })),
];

function has(program) {
  return spawnSync("sh", ["-c", 'command -v "$0"', program], { stdio: "ignore" }).status === 0;
}

/** Installs what is missing, where that is allowed. Returns what stays missing. */
function installPrograms() {
  const missing = PROGRAMS.filter(({ program }) => !has(program));
  if (missing.length === 0) return [];
  const packages = missing.flatMap((it) => it.packages);
  if (process.getuid?.() === 0 && has("apt-get")) {
    say(`installing ${packages.join(", ")}`);
    const apt = (...command) =>
      spawnSync("apt-get", ["-qq", "-y", ...command], {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      }).status === 0;
    if (!apt("install", "--no-install-recommends", ...packages)) {
      apt("update");
      apt("install", "--no-install-recommends", ...packages);
    }
  }
  return missing.filter(({ program }) => !has(program)).map((it) => it.program);
}

/** The Debian guest's files, or why there are none. */
function makeGuest() {
  const made = spawnSync(process.execPath, ["dist/cli.js", "guest", "debian", "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (made.status === 0) return { guest: made.stdout };
  return { reason: made.stderr.trim().split("\n").pop() ?? "unknown" };
}

const skips = [];
function skip(what, reason) {
  skips.push(what);
  say(`SKIPPED ${what}: ${reason}`);
}

const missing = installPrograms();
const chosen = asked.length > 0 ? asked : ["unit", "guest", "browser", ...(long ? ["long"] : [])];
const env = { ...process.env, ...(long ? { PARAVANE_LONG: "1" } : {}) };
const projects = new Set(chosen);

if (missing.includes("chromium") && env.PARAVANE_CHROMIUM === undefined && projects.delete("browser")) {
  skip("the browser's tests", "no chromium: install it, or name one in PARAVANE_CHROMIUM");
}
for (const program of missing.filter((it) => it !== "chromium")) {
  skip(`tests against ${program}`, "it is not installed, and can be installed here by root alone");
}
if (["guest", "browser", "long"].some((project) => projects.has(project))) {
  say("looking for the Debian guest");
  const { guest, reason } = makeGuest();
  if (guest !== undefined) env.PARAVANE_TEST_GUEST = guest;
  else {
    for (const project of ["guest", "browser", "long"]) projects.delete(project);
    skip("everything that boots Debian", reason);
  }
}

/** Passed, failed and skipped tests of all projects. */
const total = { passed: 0, failed: 0, skipped: 0 };

/** Adds what vitest reported of a project; a project that left no report failed as a whole. */
function count(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8"));
    total.passed += numPassedTests;
    total.failed += numFailedTests;
    total.skipped += numPendingTests;
    return numFailedTests;
  } catch {
    total.failed++;
    return 1;
  }
}

for (const project of projects) {
  say(`project ${project}`);
  const report = `build/test-${project}.json`;
  rmSync(report, { force: true });
  const { status } = spawnSync(
    process.execPath,
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--project",
      project,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ],
    { stdio: "inherit", env },
  );
  // A project can fail without a failing test: a file that does not load, an error outside of any.
  if (count(report) === 0 && status !== 0) total.failed++;
}
const failed = total.failed > 0;
if (skips.length > 0) say(`${skips.length} skipped: ${skips.join("; ")}`);
if (failed || (strict && skips.length + total.skipped > 0)) {
  say(failed ? "FAILED" : "FAILED: nothing may be skipped here");
  process.exitCode = 1;
}
const summary = `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`;
writeFileSync("build/test-summary", `${summary}\n`);
process.stdout.write(`${summary}\n`);
