// What the page's tests and the servers beside it have in common.

export const WISP_PATH = "/wisp/";
/** A name that the Wisp server alone resolves. */
export const WEB_NAME = "web.paravane.test";

/** No piece of it is like another; no zeros, with which busybox's wget ends what it posts. */
export const CONTENT = new Uint8Array(3_000_000).map((_, i) => (i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xff || 1);
