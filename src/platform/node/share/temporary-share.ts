// A folder made to be shared, which is gone when its share is closed.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ShareBackend } from "../../../backend/9p/share-backend.ts";
import { FolderShare } from "./folder-share.ts";

class TemporaryShare extends FolderShare {
  override close(): void {
    super.close();
    rmSync(this.name, { recursive: true, force: true });
  }
}

/** Files by name. */
export async function temporaryShare(files: Record<string, Uint8Array>): Promise<ShareBackend> {
  const folder = mkdtempSync(join(tmpdir(), "paravane-share-"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return new TemporaryShare(folder, { readOnly: true });
}
