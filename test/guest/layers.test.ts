// Who may import whom. The tsconfig of each layer keeps Node and the DOM out of common code;
// this keeps the layers apart.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join(folder, path));
}

/** What `path` imports: modules by name, files from the repository's root. */
function imports(path: string): string[] {
  const text = readFileSync(join(ROOT, path), "utf8");
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\s+(?:[\w*{}\s,$]+?\s+from\s+)?["']([^"'\n]+)["']/gm),
    ...text.matchAll(/\bimport\(["']([^"'\n]+)["']\)/g),
  ];
  return found
    .map((match) => match[1])
    .map((target) => (target.startsWith(".") ? relative(ROOT, join(ROOT, dirname(path), target)) : target));
}

function violations(paths: string[], isForbidden: (target: string, path: string) => boolean): string[] {
  return paths.flatMap((path) =>
    imports(path)
      .filter((target) => isForbidden(target, path))
      .map((target) => `${path} imports ${target}`),
  );
}

const COMMON = sources("src").filter(
  (path) => !/^src\/(platform|cli)\//.test(path) && !/^src\/(index|browser)\.ts$/.test(path),
);

describe("layers", () => {
  it("sees what it is to judge", () => {
    expect(COMMON).toContain("src/guest/guest.ts");
    expect(imports("src/guest/guest.ts")).toContain("assembly/abi/exit.ts");
    expect(imports("src/platform/node/platform.ts")).toContain("node:crypto");
  });

  it("common code knows neither Node nor a platform nor the command line", () => {
    expect(
      violations(COMMON, (it) => it.startsWith("node:") || /^src\/(platform|cli|index|browser)\b/.test(it)),
    ).toEqual([]);
  });

  it("the library imports nothing of assembly but abi", () => {
    expect(violations(sources("src"), (it) => it.startsWith("assembly/") && !it.startsWith("assembly/abi/"))).toEqual(
      [],
    );
  });

  it("assembly never imports the library, abi nothing but abi", () => {
    expect(violations(sources("assembly"), (it) => it.startsWith("src/"))).toEqual([]);
    expect(violations(sources("assembly/abi"), (it) => !it.startsWith("assembly/abi/"))).toEqual([]);
  });

  it("the browser's platform knows nothing of Node's", () => {
    const browser = [...sources("src/platform/browser"), "src/browser.ts"];
    expect(violations(browser, (it) => it.startsWith("node:") || it.startsWith("src/platform/node/"))).toEqual([]);
  });

  it("backends do not know guests, and the engine's accessors do not know either", () => {
    expect(violations(sources("src/backend"), (it) => /^src\/(guest|engine|machine|image)\//.test(it))).toEqual([]);
    expect(violations(sources("src/engine"), (it) => /^src\/(guest|backend|image)\//.test(it))).toEqual([]);
  });
});
