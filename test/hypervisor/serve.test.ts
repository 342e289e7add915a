// The API over a Unix socket, with a guest of a few instructions: what it does, and what it answers to
// mistakes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../src/platform/node/serve/server.ts";
import { addi, program } from "../guest/instructions.ts";

const SPIN = 0x6f;
const folder = mkdtempSync(join(tmpdir(), "paravane-serve-"));
const socket = join(folder, "api");
const kernel = join(folder, "spin");
const log: Record<string, unknown>[] = [];
let server: RunningServer;

interface Reply {
  status: number;
  body: string;
  json: Record<string, unknown> & { fault_message?: string };
}

function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const sent = request({ socketPath: socket, method, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        const said = Buffer.concat(parts).toString();
        const isJson = response.headers["content-type"]?.includes("json");
        resolve({ status: response.statusCode ?? 0, body: said, json: isJson ? JSON.parse(said) : {} });
      });
    });
    sent.on("error", reject);
    sent.end(text);
  });
}

beforeAll(async () => {
  writeFileSync(kernel, program(SPIN));
  server = await startServer({ socket, memory: 200 * 1024 * 1024, log: (record) => log.push(record) });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

describe("one guest, at the root", () => {
  it("is described, started, paused, resumed, and stopped, as Firecracker does it", async () => {
    expect((await call("GET", "/")).json).toMatchObject({ id: "default", state: "Not started" });
    expect((await call("PUT", "/machine-config", { vcpu_count: 1, mem_size_mib: 16 })).status).toBe(204);
    expect((await call("PUT", "/boot-source", { kernel_image_path: kernel })).status).toBe(204);
    expect((await call("PUT", "/actions", { action_type: "InstanceStart" })).status).toBe(204);
    expect((await call("GET", "/")).json).toMatchObject({ state: "Running", guest_state: "running" });
    expect((await call("PATCH", "/vm", { state: "Paused" })).status).toBe(204);
    expect((await call("GET", "/")).json).toMatchObject({ state: "Paused" });
    expect((await call("PATCH", "/vm", { state: "Resumed" })).status).toBe(204);
    const late = await call("PUT", "/machine-config", { vcpu_count: 2, mem_size_mib: 16 });
    expect([late.status, late.json.fault_message]).toEqual([409, expect.stringContaining("was started")]);
    expect((await call("PUT", "/actions", { action_type: "InstanceStop" })).status).toBe(204);
    expect((await call("GET", "/")).json).toMatchObject({ guest_state: "stopped" });
  });

  it("tells its figures to Prometheus", async () => {
    await call("PUT", "/actions", { action_type: "InstanceStart" });
    const metrics = async () => (await call("GET", "/metrics")).body;
    await expect.poll(metrics).toMatch(/^paravane_guest_instructions_total\{guest="default"\} [1-9]/m);
    const body = await metrics();
    expect(body).toMatch(/^paravane_guest_state\{guest="default",state="running"\} 1$/m);
    expect(body).toMatch(/^# TYPE paravane_guest_exits_total counter$/m);
    expect(body).toMatch(/^paravane_memory_reserved_bytes \d+$/m);
    await call("DELETE", "/guests/default");
  });
});

describe("several guests", () => {
  it("have names of their own, and the one that does not fit is refused with the figure", async () => {
    for (const id of ["a", "b", "c", "d"]) {
      await call("PUT", `/guests/${id}/machine-config`, { vcpu_count: 1, mem_size_mib: 16 });
      await call("PUT", `/guests/${id}/boot-source`, { kernel_image_path: kernel });
    }
    const starts = [];
    for (const id of ["a", "b", "c", "d"]) {
      starts.push(await call("PUT", `/guests/${id}/actions`, { action_type: "InstanceStart" }));
    }
    expect(starts.map(({ status }) => status)).toEqual([204, 204, 204, 400]);
    expect(starts[3].json.fault_message).toMatch(/guest d needs 56 MiB, and 32 MiB of 200 MiB are left/);
    const list = JSON.parse((await call("GET", "/guests")).body) as { id: string; guest_state: string }[];
    expect(list.map(({ id, guest_state }) => [id, guest_state])).toEqual([
      ["a", "running"],
      ["b", "running"],
      ["c", "running"],
      ["d", "created"],
    ]);
    expect((await call("DELETE", "/guests/a")).status).toBe(204);
    expect((await call("PUT", "/guests/d/actions", { action_type: "InstanceStart" })).status).toBe(204);
    for (const id of ["b", "c", "d"]) await call("DELETE", `/guests/${id}`);
    expect((await call("GET", "/guests")).body).toBe("[]");
  });
});

describe("a guest that is refused a call", () => {
  it("is in the log, as JSON, and everything goes on", async () => {
    const [A7, ECALL] = [17, 0x73];
    const refused = join(folder, "refused");
    writeFileSync(refused, program(addi(A7, 0, 0x700), ECALL, SPIN));
    await call("PUT", "/guests/u/machine-config", { vcpu_count: 1, mem_size_mib: 16 });
    await call("PUT", "/guests/u/boot-source", { kernel_image_path: refused });
    await call("PUT", "/guests/u/actions", { action_type: "InstanceStart" });
    const records = () => log.filter(({ event }) => event === "refusal");
    await expect.poll(records).toHaveLength(1);
    const record = { event: "refusal", guest: "u", refusal: { eid: 0x700, reason: "unknown", pc: "0x80200044" } };
    expect(JSON.parse(JSON.stringify(records()[0]))).toMatchObject(record);
    expect((await call("GET", "/metrics")).body).toMatch(/^paravane_guest_hypercalls_refused_total\{guest="u"\} 1$/m);
    await call("DELETE", "/guests/u");
  });
});

describe("rate limiters", () => {
  const limiter = (size: number) => ({ ops: { size, refill_time: 100 } });

  it("change before the start and after it, and zeros take them away", async () => {
    const disk = join(folder, "disk");
    writeFileSync(disk, new Uint8Array(4096));
    await call("PUT", "/guests/r/machine-config", { vcpu_count: 1, mem_size_mib: 16 });
    await call("PUT", "/guests/r/boot-source", { kernel_image_path: kernel });
    await call("PUT", "/guests/r/drives/a", { drive_id: "a", path_on_host: disk });
    const net = {
      iface_id: "e",
      host_dev_name: "switch:lan",
      tx_rate_limiter: limiter(5),
      rx_rate_limiter: limiter(6),
    };
    expect((await call("PUT", "/guests/r/network-interfaces/e", net)).status).toBe(204);
    const patch = (path: string, body: unknown) => call("PATCH", `/guests/r${path}`, body);
    const change = async (size: number) => {
      const drive = await patch("/drives/a", { drive_id: "a", rate_limiter: limiter(size) });
      const both = { iface_id: "e", tx_rate_limiter: limiter(size + 1), rx_rate_limiter: limiter(size + 2) };
      return [drive.status, (await patch("/network-interfaces/e", both)).status];
    };
    const config = async () => {
      const { drives, "network-interfaces": nets } = (await call("GET", "/guests/r/vm/config")).json as Record<
        string,
        { rate_limiter?: unknown; tx_rate_limiter?: unknown; rx_rate_limiter?: unknown }[]
      >;
      return [drives[0].rate_limiter, nets[0].tx_rate_limiter, nets[0].rx_rate_limiter];
    };
    expect(await change(10)).toEqual([204, 204]);
    expect(await config()).toEqual([limiter(10), limiter(11), limiter(12)]);
    await call("PUT", "/guests/r/actions", { action_type: "InstanceStart" });
    expect(await change(20)).toEqual([204, 204]);
    expect(await config()).toEqual([limiter(20), limiter(21), limiter(22)]);
    const none = { ops: { size: 0, refill_time: 0 } };
    expect((await patch("/drives/a", { drive_id: "a", rate_limiter: none })).status).toBe(204);
    expect((await patch("/network-interfaces/e", { iface_id: "e", rx_rate_limiter: none })).status).toBe(204);
    expect(await config()).toEqual([undefined, limiter(21), undefined]);
    const half = { ops: { size: 0, refill_time: 5 } };
    const { status, json } = await patch("/network-interfaces/e", { iface_id: "e", tx_rate_limiter: half });
    expect([status, json.fault_message]).toEqual([
      400,
      "tx_rate_limiter.ops has size 0 and refill_time 5: write 0 for both, or for neither",
    ]);
    expect((await patch("/network-interfaces/f", { iface_id: "f" })).status).toBe(404);
    const other = await patch("/drives/a", { drive_id: "a", path_on_host: kernel });
    expect([other.status, other.json.fault_message]).toEqual([
      409,
      expect.stringContaining("size and the rate limiter"),
    ]);
    await call("DELETE", "/guests/r");
  });
});

describe("mistakes", () => {
  it.each([
    ["PUT", "/machine-config", undefined, 400, "the body is missing"],
    ["PUT", "/machine-config", "{", 400, "the body is no JSON"],
    ["PUT", "/machine-config", [], 400, "the body is []: write an object with vcpu_count"],
    [
      "PUT",
      "/machine-config",
      { vcpu_count: 9, mem_size_mib: 16 },
      400,
      "vcpu_count is 9: write a whole number from 1 to 8",
    ],
    ["PUT", "/machine-config", { vcpu_count: 1 }, 400, "mem_size_mib is missing: add it"],
    ["PUT", "/machine-config", { vcpu_count: 1, mem_size_mib: 16, smt: true }, 400, "smt is not known"],
    ["PUT", "/drives/a", { drive_id: "b", path_on_host: "x" }, 400, 'drive_id is "b", and the path says "a"'],
    [
      "PUT",
      "/drives/a",
      { drive_id: "a", path_on_host: "x", rate_limiter: { ops: { size: 0, refill_time: 1 } } },
      400,
      "rate_limiter.ops.size is 0",
    ],
    ["PUT", "/policy", { guest: { cpu: { cap: 7 } } }, 400, "guest.cpu.cap is 7"],
    ["PUT", "/actions", { action_type: "Dance" }, 400, 'action_type is "Dance": write "InstanceStart"'],
    ["PUT", "/actions", { action_type: "InstanceStart" }, 400, "nothing to boot"],
    ["PUT", "/actions", { action_type: "InstanceStop" }, 409, "is not started"],
    ["POST", "/exec", { command: "true" }, 409, "is not started"],
    ["PUT", "/guests/-/machine-config", { vcpu_count: 1, mem_size_mib: 16 }, 400, "is no name for a guest"],
    ["DELETE", "/guests/nobody", undefined, 404, "there is no guest nobody"],
    ["GET", "/nowhere", undefined, 404, "GET /nowhere is not known"],
    ["PUT", "/boot-source", { kernel_image_path: "x".repeat(5000) }, 400, "write the path of a file, at most 4096"],
  ])("%s %s %j: %i", async (method, path, body, status, message) => {
    if (path === "/actions") await call("GET", "/");
    const reply = await call(method, path, body);
    expect([reply.status, reply.json.fault_message]).toEqual([status, expect.stringContaining(message)]);
  });

  it("a body longer than any can be is refused", async () => {
    const { status } = await call("PUT", "/policy", `"${"x".repeat(3 << 20)}"`);
    expect(status).toBe(413);
  });

  it("ten thousand random bodies are refused in words, or taken, and the server lives", async () => {
    let state = 12345;
    const random = (n: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % n;
    };
    const keys = [
      "vcpu_count",
      "mem_size_mib",
      "drive_id",
      "path_on_host",
      "rate_limiter",
      "ops",
      "size",
      "refill_time",
      "action_type",
      "guest",
      "cpu",
      "__proto__",
      "constructor",
      "a",
    ];
    const value = (depth: number): unknown => {
      switch (random(depth > 3 ? 6 : 9)) {
        case 0:
          return random(5000) - 100;
        case 1:
          return random(2) === 0;
        case 2:
          return null;
        case 3:
          return "x".repeat(random(70));
        case 4:
          return 1.5 * random(100);
        case 5:
          return 2 ** random(70);
        case 6:
          return Array.from({ length: random(4) }, () => value(depth + 1));
        default:
          return Object.fromEntries(
            Array.from({ length: random(5) }, () => [keys[random(keys.length)], value(depth + 1)]),
          );
      }
    };
    const paths = [
      "/machine-config",
      "/boot-source",
      "/drives/a",
      "/network-interfaces/a",
      "/vsock",
      "/balloon",
      "/policy",
      "/vm",
      "/actions",
      "/exec",
      "/console",
    ];
    const methods = ["PUT", "PATCH", "POST"];
    for (let n = 0; n < 10_000; n += 50) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, () => {
          const path = `/guests/random${paths[random(paths.length)]}`;
          return call(methods[random(3)], path, value(0));
        }),
      );
      for (const { status, json } of replies) {
        expect([204, 400, 404, 409]).toContain(status);
        if (status !== 204) expect(json.fault_message).toMatch(/.{8}/);
      }
    }
    expect((await call("GET", "/version")).status).toBe(200);
    await call("DELETE", "/guests/random");
  });
});

describe("the server", () => {
  it("describes itself", async () => {
    const document = (await call("GET", "/openapi.json")).json as { paths: Record<string, Record<string, unknown>> };
    expect(Object.keys(document.paths["/machine-config"])).toEqual(["get", "put", "patch"]);
    expect(document.paths["/guests/{id}/drives/{name}"].put).toMatchObject({
      requestBody: { content: { "application/json": { schema: { required: ["drive_id", "path_on_host"] } } } },
    });
  });

  it("logs what happens as objects with a time", () => {
    expect(log).toContainEqual(expect.objectContaining({ event: "state", guest: "default", state: "running" }));
    expect(log).toContainEqual(
      expect.objectContaining({ event: "request", method: "PUT", path: "/actions", status: 204 }),
    );
    for (const record of log) expect(record.time).toMatch(/^\d{4}-.*Z$/);
  });

  it("on TCP wants a token, and compares it", async () => {
    await expect(startServer({ tcp: { host: "127.0.0.1", port: 0 } })).rejects.toThrow(/TCP needs a token/);
    const other = await startServer({ tcp: { host: "127.0.0.1", port: 0 }, token: "secret" });
    try {
      const ask = (headers: Record<string, string>) => fetch(`http://${other.address}/version`, { headers });
      expect((await ask({})).status).toBe(401);
      expect((await ask({ Authorization: "Bearer wrong" })).status).toBe(401);
      expect((await ask({ Authorization: "Bearer secret" })).status).toBe(200);
    } finally {
      await other.close();
    }
  });

  it("takes a socket that nobody serves, and leaves one alone that somebody does", async () => {
    await expect(startServer({ socket })).rejects.toThrow(/is served already/);
    const left = join(folder, "left");
    writeFileSync(left, "");
    const other = await startServer({ socket: left });
    await other.close();
  });
});
