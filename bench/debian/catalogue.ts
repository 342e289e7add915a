// Debian's own programs, doing what people start them for. Each runs in /tmp on the root disk,
// where it finds its input and leaves its result.
import { generateC } from "./generate-c.ts";

export interface Program {
  name: string;
  /** Files that it wants in /tmp. */
  files?: Record<string, string>;
  /** Runs once, untimed. What it prints has to be the same on all machines. */
  prepare?: string;
  /** What is timed. Its result goes to the file `result`. */
  command: string;
  /**
   * For a program that measures itself: finds what it did a second in its result, in `unit`.
   * All others leave the same result whenever and wherever they run.
   */
  rate?: { unit: string; read(result: string): number };
}

/** How much there is to do. */
export interface Size {
  /** Of each of openssl's measurements. */
  seconds: number;
  /** Iterations of Python's loop, and of a round trip through JSON. */
  loops: number;
  trips: number;
  /** To compress. */
  bytes: number;
  /** Of sqlite's table. */
  rows: number;
  /** Of C. */
  lines: number;
}

const MIB = 1024 * 1024;
export const FULL: Size = { seconds: 3, loops: 3_000_000, trips: 30, bytes: 32 * MIB, rows: 1_000_000, lines: 5000 };
export const QUICK: Size = { seconds: 1, loops: 300_000, trips: 4, bytes: 4 * MIB, rows: 100_000, lines: 1000 };

/** Programs and libraries, one behind the other: compresses to about a third. */
const makeData = (bytes: number) =>
  `find /usr/lib -type f | LC_ALL=C sort | xargs cat 2>/dev/null | head -c ${bytes} >data && sha256sum data`;

/** The last line `+F...` of `openssl speed -mr`: what it did a second, in the field `index`. */
function speed(result: string, tag: string, index: number): number {
  const fields =
    result
      .split("\n")
      .find((line) => line.startsWith(`+${tag}:`))
      ?.split(":") ?? [];
  return Number(fields[index]);
}

/** openssl measures for a time; that its results are right is found out before. */
function openssl({ seconds }: Size): Program[] {
  const measure = `openssl speed -elapsed -mr -seconds ${seconds}`;
  const megabytes = { unit: "MB/s", read: (result: string) => speed(result, "F", 3) / 1e6 };
  const program = "/usr/bin/openssl";
  const key = "-K 000102030405060708090a0b0c0d0e0f -iv 000102030405060708090a0b0c0d0e0f";
  return [
    {
      name: "openssl sha256",
      prepare: `openssl dgst -sha256 ${program}`,
      command: `${measure} -bytes 16384 -evp sha256 >result`,
      rate: megabytes,
    },
    {
      name: "openssl aes-128-cbc",
      prepare: `openssl enc -aes-128-cbc ${key} -in ${program} | sha256sum`,
      command: `${measure} -bytes 16384 -evp aes-128-cbc >result`,
      rate: megabytes,
    },
    {
      name: "openssl rsa2048",
      prepare: `openssl genrsa -out key 2048 && openssl rsa -in key -pubout -out public &&
        openssl dgst -sha256 -sign key -out signature ${program} &&
        openssl dgst -sha256 -verify public -signature signature ${program}`,
      command: `${measure} rsa2048 >result`,
      rate: { unit: "signs/s", read: (result) => speed(result, "F2", 3) },
    },
  ];
}

function python({ loops, trips }: Size): Program[] {
  const loop = `
total, x = 0, 1.0
for i in range(${loops}):
    total = (total * 31 + i) & 0xffffffff
    x = x * 1.0000001 + 0.5
print(total, x)
`;
  const json = `
import json
items = [{"id": i, "name": "item %d" % i, "tags": ["a", "b", str(i % 7)], "value": i * 1.5,
          "nested": {"x": i, "y": None, "even": i % 2 == 0}} for i in range(2000)]
for _ in range(${trips}):
    text = json.dumps(items)
    items = json.loads(text)
print(text)
`;
  return [
    { name: "python3 loop", files: { "loop.py": loop }, command: "python3 loop.py >result" },
    {
      name: "python3 json",
      files: { "json-trips.py": json },
      // What is imported stays compiled.
      prepare: "python3 -c 'import json'",
      command: "python3 json-trips.py >result",
    },
  ];
}

function sqlite({ rows }: Size): Program {
  const sql = `
create table t(id integer primary key, k integer, name text);
insert into t with recursive c(i) as (select 1 union all select i + 1 from c where i < ${rows})
  select i, i * 7919 % 1000003, 'name ' || i from c;
create index t_k on t(k);
select count(*), sum(id) from t where k between 1000 and 500000;
select k % 10, count(*), max(name) from t group by 1;
`;
  const command = "rm -f database && sqlite3 database <queries.sql >result";
  return { name: "sqlite3", files: { "queries.sql": sql }, command };
}

export function programs(size: Size): Program[] {
  return [
    ...openssl(size),
    ...python(size),
    { name: "gzip", prepare: makeData(size.bytes), command: "gzip -nc data >result" },
    { name: "xz -1", prepare: makeData(size.bytes), command: "xz -1 -T1 -c data >result" },
    sqlite(size),
    {
      name: "gcc -O2",
      files: { "generated.c": generateC(size.lines) },
      command: "gcc -O2 -c generated.c -o result",
    },
  ];
}
