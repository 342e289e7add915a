// node scripts/compile-wasm.mjs TARGET ENTRY: compiles one module with asc, with the
// options of that target in asconfig.json. A process of its own, so that two can run at once.
import asc from "assemblyscript/asc";

const [target, entry] = process.argv.slice(2);
const { error, stderr } = await asc.main([
  entry,
  "--baseDir",
  process.cwd(),
  "--config",
  "asconfig.json",
  "--target",
  target,
]);
const text = stderr.toString();
if (text !== "") process.stderr.write(text);
if (error) {
  if (!text.includes("ERROR")) process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
