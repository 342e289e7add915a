// Add-ons on a whole Debian: the root disk, with systemd and udev and without any module, is given drivers and the agent. udev loads
// the ones, and has systemd start the other.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { unpluggedNet } from "../../../src/backend/unplugged-net.ts";
import { addToImage, buildDebianGuest, buildRootDisk } from "../../../src/index.ts";
import { writeModules } from "./disk-images.ts";
import { watched } from "./watched.ts";

const BOOT = 900_000;
const folder = mkdtempSync(join(tmpdir(), "paravane-root-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("Debian with systemd drives what was added to its disk", { timeout: 2 * BOOT }, async () => {
  const debian = await buildDebianGuest();
  const { image, initrd } = await buildRootDisk(debian);
  const [store, output, shared] = ["modules", "root.img", "shared"].map((name) => join(folder, name));
  writeModules(debian.initrd, store);
  const add = ["virtio-net", "9p", "agent"];
  const nameless = addToImage(image, { add, modules: store, output });
  await expect(nameless).rejects.toThrow(/name the kernel that boots with --release/);
  const made = await addToImage(image, { add, modules: store, release: debian.version, output });
  expect(made).toMatchObject({ release: debian.version, agent: true });

  mkdirSync(shared);
  writeFileSync(join(shared, "file"), "of the host");
  // The initrd brings its own modules for the disk alone to be found; what systemd loads comes from the disk.
  const { guest, until } = await watched({
    ...{ kernel: debian.kernel, initrd, agent: true, memory: "1G", disks: [{ path: output, overlay: true }] },
    shares: [{ path: shared, tag: "there" }],
    nets: [{ backend: unpluggedNet(), model: "virtio" }],
  });
  await until(/login:/);
  await guest.agent.ping({ timeout: BOOT });
  const commands = [
    "systemctl is-active paravane-agent",
    "modinfo -F filename virtio_net",
    "mkdir -p /run/host && mount -t 9p -o trans=virtio there /run/host && cat /run/host/file",
  ];
  const { status, stdout } = await guest.agent.exec("/bin/sh", ["-c", commands.join(" && ")], { timeout: BOOT });
  guest.close();
  const said = new TextDecoder().decode(stdout).split("\n");
  expect([status, said]).toEqual([0, ["active", expect.stringMatching(/virtio_net\.ko$/), "of the host"]]);
});
