// The machine's own apt client, for packages of another release and architecture: with
// state, sources and caches in a folder of ours, without root, and without touching what
// the machine has installed. Proxies and credentials stay the machine's.
//
// apt itself checks the archive's signature (`update` refuses unsigned lists) and the
// hash of every package that it downloads.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianMirrors, readAptSources } from "./apt-sources.ts";
import { DebianGuestError } from "./debian-error.ts";
import { type ProgramOptions, type ProgramResult, runProgram } from "./run-program.ts";

const CONFIGURATION = "/etc/apt";
const KEYRINGS = ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/** A package as the archive describes it. */
export interface AptPackage {
  name: string;
  version: string;
  /** Names of the packages it depends on; of alternatives the first. */
  depends: string[];
  /** Bytes to download. */
  size: number;
}

export interface AptOptions {
  /** Folder for state and downloads; made if need be. */
  folder: string;
  release: string;
  architecture: string;
  progress(line: string): void;
}

/** What went wrong, out of apt's own words. */
export function explainAptFailure(stderr: string, mirror: string): string {
  const errors = stderr.split("\n").filter((line) => /^[EW]:/.test(line));
  const said = errors.length > 0 ? ` (apt: ${errors[0].slice(3)})` : "";
  if (/NO_PUBKEY|not signed|EXPKEYSIG|REVKEYSIG|signatures? (?:were|was|is|couldn't)|Missing key/i.test(stderr)) {
    return `Debian's archive at ${mirror} could not be verified: install a current debian-archive-keyring${said}`;
  }
  if (/No space left/i.test(stderr)) return `no space left on the disk of the cache: free 700 MB${said}`;
  if (
    /resolv|Could not connect|Connection (?:timed out|failed|refused)|Network is unreachable|Cannot initiate/i.test(
      stderr,
    )
  ) {
    return `no network to Debian's archive at ${mirror}: connect or set apt's proxy${said}`;
  }
  if (/404|does not have a Release file|doesn't support architecture/i.test(stderr)) {
    return `${mirror} does not carry this release for riscv64: use a mirror in apt's sources that does${said}`;
  }
  return `apt failed on ${mirror}: correct apt's configuration${said}`;
}

/** Fields of the stanzas that `apt-cache show` prints. */
export function parsePackages(text: string): AptPackage[] {
  return text.split(/\n\n+/).flatMap((stanza) => {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(stanza)?.[1] ?? "";
    if (!field("Package")) return [];
    const depends = [field("Pre-Depends"), field("Depends")]
      .flatMap((list) => list.split(","))
      .map((choice) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(choice)?.[1] ?? "")
      .filter(Boolean);
    return [{ name: field("Package"), version: field("Version"), depends, size: Number(field("Size")) }];
  });
}

/** Names of the packages that `apt-get --simulate install` would install. */
export function parseSimulation(text: string): string[] {
  return [...text.matchAll(/^Inst ([a-z0-9][a-z0-9+.-]*)/gm)].map((match) => match[1]);
}

export class Apt {
  readonly #options: AptOptions;
  readonly #downloads: string;
  #mirror = "";

  constructor(options: AptOptions) {
    this.#options = options;
    this.#downloads = join(options.folder, "downloads");
  }

  /** Fetches and verifies the list of packages, from the first mirror that has it. */
  async update(): Promise<void> {
    const mirrors = debianMirrors(readAptSources(CONFIGURATION));
    if (mirrors.length === 0) {
      throw new DebianGuestError(`apt's sources in ${CONFIGURATION} name no Debian archive: add one`);
    }
    const keyring = KEYRINGS.find((path) => existsSync(path));
    if (!keyring) {
      throw new DebianGuestError(
        `${KEYRINGS[0]} is missing, without which packages cannot be verified: install debian-archive-keyring`,
      );
    }
    let failure = "";
    for (const mirror of mirrors) {
      this.#configure(mirror, keyring);
      const { status, stderr } = await this.#run("apt-get", ["-q", "update"]);
      if (status === 0) return;
      failure ||= explainAptFailure(stderr, mirror);
    }
    throw new DebianGuestError(failure);
  }

  /** Descriptions of packages, by name; a name that the archive does not have is left out. */
  async show(names: readonly string[]): Promise<Map<string, AptPackage>> {
    const { stdout } = await this.#run("apt-cache", ["show", "--no-all-versions", ...names]);
    return new Map(parsePackages(stdout.toString()).map((found) => [found.name, found]));
  }

  /** What makes a system of `wanted`, names or patterns (apt-patterns(7)), without recommendations. */
  async resolve(wanted: readonly string[]): Promise<string[]> {
    const options = ["-q", "--simulate", "--no-install-recommends"];
    const { status, stdout, stderr } = await this.#run("apt-get", [...options, "install", ...wanted]);
    if (status !== 0) throw new DebianGuestError(explainAptFailure(stderr, this.#mirror));
    return parseSimulation(stdout.toString());
  }

  /** Downloads packages and returns their files, by name. */
  async download(packages: readonly AptPackage[]): Promise<Map<string, string>> {
    const { status, stderr } = await this.#run(
      "apt-get",
      ["-q", "download", ...packages.map(({ name, version }) => `${name}=${version}`)],
      { cwd: this.#downloads },
    );
    if (status !== 0) throw new DebianGuestError(explainAptFailure(stderr, this.#mirror));
    return new Map(packages.map((found) => [found.name, this.#fileOf(found)]));
  }

  #fileOf({ name, version }: AptPackage): string {
    for (const architecture of [this.#options.architecture, "all"]) {
      const path = join(this.#downloads, `${name}_${version.replaceAll(":", "%3a")}_${architecture}.deb`);
      if (existsSync(path)) return path;
    }
    throw new DebianGuestError(`apt downloaded ${name} ${version} but its file is not in ${this.#downloads}`);
  }

  /** Writes the configuration that the machine's is read into: later settings win. */
  #configure(mirror: string, keyring: string): void {
    const { folder, release, architecture } = this.#options;
    this.#mirror = mirror;
    for (const part of ["lists/partial", "cache/archives/partial", "downloads"]) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    // `target` keeps what the machine fetches besides (translations, contents) out.
    const source = `deb [signed-by=${keyring} arch=${architecture} target=Packages] ${mirror} ${release} main\n`;
    writeFileSync(join(folder, "sources.list"), source);
    writeFileSync(join(folder, "status"), "");
    const included = [process.env.APT_CONFIG, join(CONFIGURATION, "apt.conf")].filter(
      (path) => path && existsSync(path),
    );
    const settings: Record<string, string> = {
      "APT::Architecture": architecture,
      "APT::Architectures::": architecture,
      "APT::Sandbox::User": "root",
      "APT::Update::Error-Mode": "any",
      "APT::Get::AllowUnauthenticated": "false",
      "Acquire::AllowInsecureRepositories": "false",
      "Acquire::AllowWeakRepositories": "false",
      "Acquire::AllowDowngradeToInsecureRepositories": "false",
      "Acquire::Languages": "none",
      "Acquire::PDiffs": "false",
      "Acquire::Retries": "3",
      "Acquire::http::Timeout": "30",
      "Acquire::https::Timeout": "30",
      "Dir::Etc::sourcelist": join(folder, "sources.list"),
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::Etc::preferences": "/dev/null",
      "Dir::Etc::preferencesparts": "/dev/null",
      "Dir::State": folder,
      "Dir::State::lists": join(folder, "lists"),
      "Dir::State::status": join(folder, "status"),
      "Dir::Cache": join(folder, "cache"),
      "Dir::Cache::archives": join(folder, "cache/archives"),
      "Dir::Cache::pkgcache": "pkgcache.bin",
      "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
    };
    const main = [
      ...included.map((path) => `#include "${path}";`),
      // Hooks of the machine are about the machine's own packages.
      "#clear APT::Update::Pre-Invoke;",
      "#clear APT::Update::Post-Invoke;",
      "#clear APT::Update::Post-Invoke-Success;",
      "#clear APT::Architectures;",
      ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
    ];
    writeFileSync(join(folder, "main.conf"), `${main.join("\n")}\n`);
    // apt reads this first, then the machine's apt.conf.d, then main.conf in place of apt.conf.
    writeFileSync(join(folder, "apt.conf"), `Dir::Etc::main "${join(folder, "main.conf")}";\n`);
  }

  async #run(program: string, args: string[], options: ProgramOptions = {}): Promise<ProgramResult> {
    const onLine = (line: string): void => {
      const [, name, size] = /^Get:\d+ \S+ \S+ \S+ (\S+).*\[([^\]]+)\]$/.exec(line) ?? [];
      if (name) this.#options.progress(`downloading ${name === "Packages" ? "the list of packages" : name} (${size})`);
    };
    try {
      return await runProgram(program, args, {
        ...options,
        onLine,
        env: { APT_CONFIG: join(this.#options.folder, "apt.conf") },
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new DebianGuestError(`this machine has no ${program}: make the guest on Debian`, { cause: error });
    }
  }
}
