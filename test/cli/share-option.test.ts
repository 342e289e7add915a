// --share, --vsock and --serial, as they are written.
import { describe, expect, it } from "vitest";
import { parseSerial } from "../../src/cli/serial-option.ts";
import { parseShare } from "../../src/cli/share-option.ts";
import { parseVsock } from "../../src/cli/vsock-option.ts";

describe("--share", () => {
  it.each([
    ["/src:code", { path: "/src", tag: "code", readOnly: false }],
    ["./a:b:tag,ro", { path: "./a:b", tag: "tag", readOnly: true }],
    ["a,b:t", { path: "a,b", tag: "t", readOnly: false }],
  ])("%s", (text, expected) => {
    expect(parseShare(text)).toEqual(expected);
  });

  it.each([
    ["/src", "DIR:TAG"],
    [":tag", "DIR:TAG"],
    ["/src:", "DIR:TAG"],
    ["/src:tag,rw", 'setting "rw" is not known'],
  ])("%s is refused", (text, message) => {
    expect(() => parseShare(text)).toThrow(message);
  });
});

describe("--vsock", () => {
  it.each([
    ["/tmp/v", { path: "/tmp/v" }],
    ["/tmp/v,cid=7", { path: "/tmp/v", cid: 7 }],
    ["/tmp/a,b/v,cid=7", { path: "/tmp/a,b/v", cid: 7 }],
  ])("%s", (text, expected) => {
    expect(parseVsock(text)).toEqual(expected);
  });

  it.each([
    ["", "needs a Unix socket"],
    [",cid=3", "needs a Unix socket"],
    ["/tmp/v,cid=x", 'setting "cid=x" is not known'],
    ["/tmp/v,ro", 'setting "ro" is not known'],
  ])("%s is refused", (text, message) => {
    expect(() => parseVsock(text)).toThrow(message);
  });
});

describe("--serial", () => {
  it.each([
    ["talk", { name: "talk", socket: "talk.sock" }],
    ["talk,socket=/run/a,b", { name: "talk", socket: "/run/a,b" }],
    ["log,file=./out=1.txt", { name: "log", file: "./out=1.txt" }],
  ])("%s", (text, expected) => {
    expect(parseSerial(text)).toEqual(expected);
  });

  it.each([
    ["", "has no name"],
    [",socket=/run/a", "has no name"],
    ["talk,pipe=/run/a", 'setting "pipe=/run/a" is not known: write socket=PATH or file=PATH'],
    ["talk,file=", 'setting "file=" is not known'],
  ])("%s is refused", (text, message) => {
    expect(() => parseSerial(text)).toThrow(message);
  });
});
