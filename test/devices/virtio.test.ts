// The virtio devices against a driver over real linear memory. One file, so that the
// engine's devices are compiled once.
import { beforeAll } from "vitest";
import { compileDevices } from "./virtio/machine.ts";
import "./virtio/transport.ts";
import "./virtio/queue.ts";
import "./virtio/split-queue.ts";
import "./virtio/packed-queue.ts";
import "./virtio/ring-reset.ts";
import "./virtio/interrupts.ts";
import "./virtio/blk.ts";
import "./virtio/console.ts";
import "./virtio/net.ts";
import "./virtio/net-hostile.ts";
import "./virtio/rng.ts";
import "./virtio/pmem.ts";
import "./virtio/balloon.ts";
import "./virtio/mem.ts";
import "./virtio/rtc.ts";
import "./virtio/files.ts";
import "./virtio/vsock.ts";
import "./virtio/custom.ts";
import "./virtio/common.ts";
import "./virtio/moderation.ts";
import "./virtio/fuzz.ts";

beforeAll(compileDevices, 120_000);
