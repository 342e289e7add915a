// npm run build [-- --quiet] [-- --force] [-- --unshared]
//
// 1. generates decoder, dispatch and encoder from the instruction table (src/isa)
// 2. compiles assembly/ to build/*.wasm: the engine for unshared and for shared memory, and inspect
// 3. bundles src/ to dist/: the library for Node and for browsers, with types, and the CLI
//
// A step is skipped while a hash of its inputs equals the one of its last success
// (build/stamps.json) and its outputs are there. Progress goes to stderr.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const quiet = process.argv.includes("--quiet");
const force = process.argv.includes("--force");
/** Without the engine for shared memory, which nothing needs while harts take turns on one thread. */
const unshared = process.argv.includes("--unshared");
const STAMPS = "build/stamps.json";

const say = (text) => process.stderr.write(`build: ${text}\n`);

/** Files below `path` (or `path` itself), sorted, that `accept` admits. */
function files(path, accept = () => true) {
  if (!existsSync(path)) return [];
  const found = [];
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) found.push(...files(child, accept));
    else if (accept(child)) found.push(child);
  }
  return found.sort();
}

const isSource = (path) => path.endsWith(".ts");

function hashOf(inputs) {
  const hash = createHash("sha256").update(process.version);
  for (const path of inputs) {
    const bytes = readFileSync(path);
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Runs a script of ours under this Node; rejects with what it printed. */
function run(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve();
      else reject(new Error(output.trim() || `${args[0]} ended with status ${status}`));
    });
  });
}

let stamps = {};
try {
  if (!force) stamps = JSON.parse(readFileSync(STAMPS, "utf8"));
} catch {
  // No stamps: everything is built.
}

/** Does `work`, which resolves to the files it wrote, unless inputs and outputs are as it left them. */
async function step(name, inputs, work) {
  const hash = hashOf(inputs);
  if (stamps[name]?.hash === hash && stamps[name].outputs.every((path) => existsSync(path))) {
    if (!quiet) say(`${name} is up to date`);
    return;
  }
  say(`${name} ...`);
  const start = performance.now();
  try {
    stamps[name] = { hash, outputs: await work() };
  } catch (error) {
    throw new Error(`${name} failed:\n${error instanceof Error ? error.message : error}`);
  }
  writeFileSync(STAMPS, `${JSON.stringify(stamps, null, 2)}\n`);
  say(`${name} done (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

/** Writes what the instruction table generates; files that would not change keep their dates. */
async function generate() {
  const { runnerImport } = await import("vite");
  const { module } = await runnerImport(join(root, "src/isa/generate.ts"), { root, logLevel: "warn" });
  const written = [];
  for (const [name, text] of Object.entries(module.generate())) {
    const path = join("assembly", name);
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
    written.push(path);
  }
  return written;
}

function wasm(target, entry, sources) {
  const output = JSON.parse(readFileSync("asconfig.json", "utf8")).targets[target].outFile;
  const inputs = [
    "asconfig.json",
    "scripts/asbind-transform.mjs",
    "node_modules/assemblyscript/package.json",
    ...sources,
  ];
  return step(output, inputs, async () => {
    await run("scripts/compile-wasm.mjs", target, entry);
    return [output];
  });
}

async function bundle() {
  await run("node_modules/tsdown/dist/run.mjs", "--log-level", "warn");
  return [
    "dist/index.js",
    "dist/index.d.ts",
    "dist/browser.js",
    "dist/browser-guest-worker.js",
    "dist/browser.d.ts",
    "dist/cli.js",
  ];
}

async function build() {
  mkdirSync("build", { recursive: true });

  await step("instruction set", files("src/isa", isSource), generate);

  const assembly = files("assembly", isSource);
  const engine = assembly.filter((path) => !path.startsWith("assembly/inspect/"));
  const abi = assembly.filter((path) => path.startsWith("assembly/abi/"));
  const tools = ["tsdown.config.ts", "tsconfig.json", "package.json", "package-lock.json"];

  await Promise.all([
    wasm("engine", "assembly/engine.ts", engine).then(() => unshared || wasm("shared", "assembly/engine.ts", engine)),
    wasm("inspect", "assembly/inspect/index.ts", assembly).then(() =>
      step("dist", [...tools, ...files("src", isSource), ...abi], bundle),
    ),
  ]);
}

try {
  await build();
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
