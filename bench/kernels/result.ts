// What a kernel's program says at its end under an operating system (main-hosted.c).

export interface HostedResult {
  checksum: string;
  /** CPU time as the program's own clock has it, in ms. */
  cpu: number;
}

/** Finds the line among what else a console may have put out. */
export function readHostedResult(output: string): HostedResult {
  const match = /^([0-9a-f]{16}) (\d+)\s*$/m.exec(output);
  if (match === null) throw new Error(`no checksum and time in "${output.trim().slice(-200)}"`);
  return { checksum: match[1], cpu: Number(match[2]) / 1e6 };
}
