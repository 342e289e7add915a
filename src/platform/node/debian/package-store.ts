// Packages of the archive, downloaded and unpacked when asked for, with their versions kept.
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Apt, AptPackage } from "./apt.ts";
import { unpackDeb } from "./deb.ts";

export class PackageStore {
  readonly #apt: Apt;
  readonly #scratch: string;
  readonly #versions = new Map<string, string>();

  constructor(apt: Apt, scratch: string) {
    this.#apt = apt;
    this.#scratch = scratch;
  }

  /** Versions of what was unpacked so far, in the order of names. */
  get versions(): Record<string, string> {
    return Object.fromEntries([...this.#versions].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Counts a package among those unpacked: what it holds is there from before. */
  reuse({ name, version }: Pick<AptPackage, "name" | "version">): void {
    this.#versions.set(name, version);
  }

  show(names: readonly string[]): Promise<Map<string, AptPackage>> {
    return this.#apt.show(names);
  }

  /** Unpacks those of `names` that the archive has: name -> folder and dependencies. */
  async fetch(names: readonly string[]): Promise<Map<string, { folder: string; depends: string[] }>> {
    const folderOf = (name: string) => join(this.#scratch, "packages", name);
    const packages = await this.#unpack(names, folderOf);
    return new Map(packages.map(({ name, depends }) => [name, { folder: folderOf(name), depends }]));
  }

  /** Unpacks `wanted` (names or patterns) and all that they depend on over each other, as if installed. */
  async fetchSystem(wanted: readonly string[], folder: string): Promise<void> {
    await this.#unpack(await this.#apt.resolve(wanted), () => folder);
  }

  /** Puts `wanted` (names or patterns) and all that they depend on into `folder` as they are: NAME.deb each. */
  async download(wanted: readonly string[], folder: string): Promise<void> {
    const packages = [...(await this.show(await this.#apt.resolve(wanted))).values()];
    const debs = await this.#apt.download(packages);
    for (const { name, version } of packages) {
      copyFileSync(debs.get(name) ?? "", join(folder, `${name}.deb`));
      this.#versions.set(name, version);
    }
  }

  async #unpack(names: readonly string[], folderOf: (name: string) => string): Promise<AptPackage[]> {
    const packages = [...(await this.show(names)).values()];
    const debs = await this.#apt.download(packages);
    for (const { name, version } of packages) {
      const deb = debs.get(name) ?? "";
      await unpackDeb(deb, folderOf(name));
      rmSync(deb);
      this.#versions.set(name, version);
    }
    return packages;
  }
}
