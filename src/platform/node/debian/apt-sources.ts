// Where this machine gets its Debian packages from: sources.list(5), in its one-line and
// its deb822 form. Only mirrors are taken from there; release, architecture and keyring of
// the guest are ours.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A line or stanza for binary packages. */
export interface AptSource {
  uris: string[];
  suites: string[];
  components: string[];
}

/** Names that a suite of Debian's main archive has; those of Ubuntu and of vendors differ. */
const DEBIAN_SUITE =
  /^(?:(?:old)*stable|testing|unstable|sid|buster|bullseye|bookworm|trixie|forky|duke)(?:-updates|-backports)?$/;

/** The one-line form: `deb [options] URI suite component...` */
export function parseSourceList(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) return [];
    return [{ uris: [match[1]], suites: [match[2]], components: match[3].split(/\s+/).filter(Boolean) }];
  });
}

/** The deb822 form: stanzas of `Field: values`, continued on indented lines. */
export function parseDeb822Sources(text: string): AptSource[] {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .split(/\n[ \t]*\n/)
    .flatMap((stanza) => {
      const fields = new Map<string, string[]>();
      for (const match of stanza.matchAll(/^([A-Za-z0-9-]+):((?:.*)(?:\n[ \t].*)*)/gm)) {
        fields.set(match[1].toLowerCase(), match[2].split(/\s+/).filter(Boolean));
      }
      const values = (name: string): string[] => fields.get(name) ?? [];
      if (!values("types").includes("deb") || /^(no|false|0|off|disable)$/i.test(values("enabled")[0] ?? "")) return [];
      return [{ uris: values("uris"), suites: values("suites"), components: values("components") }];
    });
}

/** URIs of the mirrors of Debian's main archive among `sources`, each once, in their order. */
export function debianMirrors(sources: readonly AptSource[]): string[] {
  const mirrors = sources
    .filter(({ suites, components }) => suites.some((s) => DEBIAN_SUITE.test(s)) && components.includes("main"))
    .flatMap(({ uris }) => uris)
    .filter((uri) => !uri.startsWith("cdrom:"));
  return [...new Set(mirrors)];
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Every source below apt's folder of configuration, /etc/apt. */
export function readAptSources(folder: string): AptSource[] {
  const parts = join(folder, "sources.list.d");
  let names: string[] = [];
  try {
    names = readdirSync(parts).sort();
  } catch {
    // A machine may have sources.list alone.
  }
  return [
    ...parseSourceList(readIfThere(join(folder, "sources.list"))),
    ...names
      .filter((name) => name.endsWith(".list"))
      .flatMap((name) => parseSourceList(readIfThere(join(parts, name)))),
    ...names
      .filter((name) => name.endsWith(".sources"))
      .flatMap((name) => parseDeb822Sources(readIfThere(join(parts, name)))),
  ];
}
