// Users and groups of a system whose packages were unpacked and never installed: what
// base-passwd's and systemd-sysusers' part of an installation would write. From base-passwd
// come passwd(5) and group(5) lines, from the other packages sysusers.d(5) files.
//
// Left out: ranges, numbers taken from a file's owner, specifiers.

/** Contents of /etc/passwd, /etc/group, /etc/shadow and /etc/gshadow. */
export interface Accounts {
  passwd: string;
  group: string;
  shadow: string;
  gshadow: string;
}

/** System accounts without a number of their own get the highest that is free, from here down. */
const HIGHEST_SYSTEM_ID = 999;
/** Days since 1970 of the last change of a password: any but 0, which asks for a new one. */
const CHANGED = 20000;

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

class Table {
  readonly lines = new Map<string, string>();
  readonly #ids = new Set<number>();

  constructor(text: string) {
    for (const line of linesOf(text)) {
      const [name, , id] = line.split(":");
      this.add(name, Number(id), line);
    }
  }

  add(name: string, id: number, line: string): void {
    this.lines.set(name, line);
    this.#ids.add(id);
  }

  idOf(name: string): number | undefined {
    const line = this.lines.get(name);
    return line === undefined ? undefined : Number(line.split(":")[2]);
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }
}

/** `wanted`, or the highest number that neither table has. */
function idFor(wanted: string | undefined, tables: readonly Table[]): number {
  if (wanted !== undefined && /^\d+$/.test(wanted)) return Number(wanted);
  let id = HIGHEST_SYSTEM_ID;
  while (tables.some((table) => table.has(id))) id--;
  return id;
}

/** Words of a sysusers.d line; `-` stands for the default. */
function wordsOf(line: string): (string | undefined)[] {
  const words = line.match(/"[^"]*"|\S+/g) ?? [];
  return words.map((word) => (word === "-" ? undefined : word.replaceAll('"', "")));
}

/** `root` has an empty password, all others none that fits. */
export function makeAccounts(passwdMaster: string, groupMaster: string, sysusers: readonly string[]): Accounts {
  const users = new Table(passwdMaster);
  const groups = new Table(groupMaster);
  const addGroup = (name: string, id: number) => {
    if (groups.idOf(name) === undefined) groups.add(name, id, `${name}:x:${id}:`);
  };
  const rows = sysusers.flatMap(linesOf).map(wordsOf);
  for (const [type, name = "", id] of rows) if (type === "g") addGroup(name, idFor(id, [groups]));
  for (const [type, name = "", id, comment = "", home = "/", shell = "/usr/sbin/nologin"] of rows) {
    if (!type?.startsWith("u") || users.idOf(name) !== undefined) continue;
    const [user, group] = id?.split(":") ?? [];
    const uid = idFor(user, [users, groups]);
    if (group === undefined) addGroup(name, uid);
    const gid = groups.idOf(group ?? name) ?? group;
    users.add(name, uid, `${name}:x:${uid}:${gid}:${comment}:${home}:${shell}`);
  }

  const text = (lines: Iterable<string>) => [...lines].map((line) => `${line}\n`).join("");
  const shadowed = (table: Table) => [...table.lines.values()].map((line) => line.replace(/^([^:]+):[^:]*/, "$1:x"));
  return {
    passwd: text(shadowed(users)),
    group: text(shadowed(groups)),
    shadow: text(
      [...users.lines.keys()].map((name) => `${name}:${name === "root" ? "" : "*"}:${CHANGED}:0:99999:7:::`),
    ),
    gshadow: text([...groups.lines.keys()].map((name) => `${name}:*::`)),
  };
}
