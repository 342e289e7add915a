// Builds probe.elf. The result depends on the sources and the compiler alone, so it can be committed and compared.
//
//   node build.mjs          builds and replaces probe.elf, and records the compiler in compiler.txt
//   node build.mjs --check  builds to a temporary folder and compares with the committed probe.elf
import { fileURLToPath } from "node:url";
import { buildCommitted } from "../committed-elf.mjs";
import { absoluteRelocations } from "./elf.mjs";

const flags = [
  ["-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-std=gnu11", "-O2"],
  ["-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-fno-common", "-fno-stack-protector"],
  ["-fno-strict-aliasing", "-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns"],
  // Both make tables of addresses, and those would be absolute.
  ["-fno-jump-tables", "-fno-tree-switch-conversion"],
  ["-ffunction-sections", "-fdata-sections", "-fno-ident"],
  ["-Wall", "-Wextra", "-Werror"],
  ["-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,-z,max-page-size=4096", "-Wl,--no-warn-rwx-segments"],
  ["-Wl,--emit-relocs", "-T", "probe.ld"],
].flat();

buildCommitted({
  folder: fileURLToPath(new URL(".", import.meta.url)),
  name: "probe",
  maxBytes: 64 * 1024,
  flags,
  inspect(file) {
    const absolute = absoluteRelocations(file);
    if (absolute.length === 0) return;
    throw new Error(
      `the image is not position independent:\n  ${absolute.join("\n  ")}\navoid static tables of pointers`,
    );
  },
});
