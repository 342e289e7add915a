// Makes a system that boots of unpacked packages: what their maintainer scripts would do when
// they are installed, as far as a boot to a login prompt and the programs on the disk need
// it. No program of the guest runs for it.
//
// Left out: dpkg's own records, caches (ld.so, pages of the manual), and all alternatives but awk.
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeAccounts } from "./accounts.ts";

export const ROOT_HOSTNAME = "paravane";

/** Documentation and translations, which a minimal system does without. */
const UNWANTED = ["usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man"];

/** What pam-auth-update writes: passwords of /etc/shadow, an empty one included. */
const PAM = {
  "common-account": "account required pam_unix.so\n",
  "common-auth": "auth required pam_unix.so nullok\n",
  "common-password": "password required pam_unix.so obscure yescrypt\n",
  "common-session": "session required pam_unix.so\n",
  "common-session-noninteractive": "session required pam_unix.so\n",
};

/** Any will do but none: without one systemd takes each boot for the first, and sets the system up. */
const MACHINE_ID = "70617261766e650000000000726f6f74\n";

export function completeTree(root: string): void {
  const path = (name: string): string => join(root, name);
  const read = (name: string): string => readFileSync(path(name), "utf8");
  const write = (name: string, content: string, mode = 0o644): void => {
    // Of a link in the tree the target could be the host's own file.
    rmSync(path(name), { force: true });
    writeFileSync(path(name), content, { mode });
  };

  for (const folder of UNWANTED) rmSync(path(folder), { recursive: true, force: true });

  const sysusers = readdirSync(path("usr/lib/sysusers.d")).sort();
  const { passwd, group, shadow, gshadow } = makeAccounts(
    read("usr/share/base-passwd/passwd.master"),
    read("usr/share/base-passwd/group.master"),
    sysusers.map((name) => read(join("usr/lib/sysusers.d", name))),
  );
  write("etc/passwd", passwd);
  write("etc/group", group);
  write("etc/shadow", shadow, 0o640);
  write("etc/gshadow", gshadow, 0o640);

  for (const [name, content] of Object.entries(PAM)) write(join("etc/pam.d", name), content);
  write("etc/hostname", `${ROOT_HOSTNAME}\n`);
  write("etc/hosts", `127.0.0.1 localhost ${ROOT_HOSTNAME}\n`);
  write("etc/fstab", "# The root file system is mounted by the initramfs.\n");
  write("etc/machine-id", MACHINE_ID, 0o444);
  symlinkSync("mawk", path("usr/bin/awk"));
  // Newer than /usr: systemd then has no caches to make (ConditionNeedsUpdate= in systemd.unit(5)).
  for (const folder of ["etc", "var"]) write(join(folder, ".updated"), "");
}
