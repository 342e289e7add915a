// Builds workload.elf. The result depends on the sources and the compiler alone, so it can be committed and compared.
//
//   node build.mjs          builds and replaces workload.elf, and records the compiler in compiler.txt
//   node build.mjs --check  builds to a temporary folder and compares with the committed file
import { fileURLToPath } from "node:url";
import { buildCommitted } from "../committed-elf.mjs";

buildCommitted({
  folder: fileURLToPath(new URL(".", import.meta.url)),
  name: "workload",
  maxBytes: 32 * 1024,
  flags: [
    ["-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-std=gnu11", "-O2"],
    ["-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-fno-common", "-fno-stack-protector"],
    ["-fno-strict-aliasing", "-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns"],
    ["-ffunction-sections", "-fdata-sections", "-fno-ident", "-Wall", "-Wextra", "-Werror"],
    ["-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,-z,max-page-size=4096", "-Wl,-z,noexecstack"],
  ].flat(),
});
