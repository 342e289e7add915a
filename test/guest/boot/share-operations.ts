// File operations in a guest's shared folder, in great number: made, written, renamed, linked,
// changed, removed, listed. A tree in the guest's own memory goes through the same ones; in
// the end both, and what the host sees, are compared by checksums.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Guest } from "../../../src/index.ts";
import { run } from "./file-disks.ts";

/** Ten operations a turn, of the shell and of busybox without a process of its own. */
const SCRIPT = `
work() {
  cd "$1" || exit 1
  i=0
  while [ $i -lt "$2" ]; do
    d=d$((i % 17))
    [ -d $d ] || mkdir $d || exit 2
    echo "$i line" >$d/$i || exit 3
    echo "$i again" >>$d/$i || exit 4
    mv $d/$i $d/m$i || exit 5
    ln $d/m$i $d/h$i || exit 6
    ln -s m$i $d/s$i || exit 7
    chmod 6$((i % 8))0 $d/m$i || exit 8
    read -r line <$d/s$i || exit 9
    [ "$line" = "$i line" ] || exit 10
    if [ $((i % 3)) = 0 ]; then rm $d/h$i || exit 11; fi
    if [ $((i % 5)) = 0 ]; then mv $d/m$i d0/x$i || exit 12; fi
    if [ $((i % 50)) = 49 ]; then set -- "$1" "$2" $d/*; [ -e "$3" ] || exit 13; set -- "$1" "$2"; fi
    i=$((i + 1))
  done
}
sums() {
  cd "$1" || exit 1
  find . -type f | sort | xargs md5sum
}`;

/** All files below `folder` as md5sum prints them. */
function sumsOf(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const lines = files.map((path) => {
    const sum = createHash("md5").update(readFileSync(path)).digest("hex");
    return `${sum}  .${path.slice(folder.length)}`;
  });
  return `${lines.sort().join("\n")}\n`;
}

/** At least `operations` of them in `mount` of the guest, which is `folder` of the host. */
export async function fileOperations(guest: Guest, folder: string, mount: string, operations: number): Promise<void> {
  const turns = Math.ceil(operations / 10);
  const done = await run(
    guest,
    `${SCRIPT}\nmkdir -p ${mount}/ops /tmp/ops; work ${mount}/ops ${turns} && work /tmp/ops ${turns}`,
  );
  expect(done).toEqual({ status: 0, output: "" });
  const sums = async (place: string) => {
    const { status, output } = await run(guest, `${SCRIPT}\nsums ${place}`);
    expect(status).toBe(0);
    return `${output.trimEnd().split("\n").sort().join("\n")}\n`;
  };
  const [theirs, ours] = [await sums(`${mount}/ops`), await sums("/tmp/ops")];
  expect(theirs.split("\n").length).toBeGreaterThan(turns);
  expect(theirs).toBe(ours);
  expect(sumsOf(join(folder, "ops"))).toBe(ours);
  const listed = await run(guest, `find ${mount}/ops | wc -l; find /tmp/ops | wc -l`);
  expect(new Set(listed.output.trim().split("\n")).size).toBe(1);
  expect(statSync(join(folder, "ops/d1/m1")).mode & 0o777).toBe(0o610);
  const removed = await run(guest, `rm -r ${mount}/ops /tmp/ops; ls ${mount} | grep -c '^ops$'`);
  expect(removed.output).toBe("0\n");
}
