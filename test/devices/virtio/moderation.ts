// Interrupts of virtio disks that wait.
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioBlk, VirtioFeature } from "../../../assembly/abi/virtio.ts";
import { moderationSuite } from "../moderation.ts";
import { Driver, forms } from "./driver.ts";
import { Machine } from "./machine.ts";

const BACKEND = 7;

for (const { name, attach } of forms) {
  moderationSuite(
    `virtio-blk over ${name}`,
    () => {
      const m = Machine.create();
      const t = attach(m, { kind: DeviceKind.VIRTIO_BLK, backend: BACKEND, capacity: 1 << 20 });
      const d = new Driver(m, t);
      d.start([128], [VirtioFeature.EVENT_IDX]);
      const header = (type: number) => d.place([type, ...Array<number>(15).fill(0)]);
      const [reads, flushes] = [header(VirtioBlk.T_IN), header(VirtioBlk.T_FLUSH)];
      const data = d.allocate(512);
      const status = d.allocate(1);
      let out = 0;
      let level = false;
      const submit = (type: number, bytes: number) => {
        const room = bytes === 0 ? [] : [{ address: data, length: bytes, write: true }];
        d.queues[0].add([{ address: type, length: 16 }, ...room, { address: status, length: 1, write: true }]);
        d.queues[0].kick();
      };
      return {
        read() {
          m.bytes[m.at(status)] = 0xff;
          submit(reads, 512);
          out++;
          if (m.peek(status, 1)[0] !== VirtioBlk.S_OK) throw new Error("the request is not done");
        },
        // To look is to acknowledge.
        interrupt() {
          level = level || t.takeInterrupt() !== 0;
          return level;
        },
        handle() {
          t.takeInterrupt();
          level = false;
          while (d.queues[0].take() !== undefined) out--;
          if (out !== 0) throw new Error(`${out} requests were not given back`);
        },
        flushLater() {
          m.flushAnswer = 1;
          submit(flushes, 0);
          return () => void m.call("diskDone", BACKEND, m.flushes.at(-1) ?? -1, 0);
        },
        reset: () => t.setStatus(0),
        setTime(ticks) {
          m.ticks = ticks;
        },
        call: (name) => m.call(name),
      };
    },
    true,
  );
}
