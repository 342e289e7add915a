// Packets of the socket device (virtio 1.2, 5.10.6): a header of 44 bytes, then payload.
import { VsockHeader, VsockOp, VsockType } from "../../../assembly/abi/virtio.ts";

/** The host's address. */
export const HOST_CID = 2;

export interface Addresses {
  source: bigint;
  destination: bigint;
  sourcePort: number;
  destinationPort: number;
}

export interface PacketHeader extends Addresses {
  length: number;
  type: number;
  op: number;
  flags: number;
  bufferSize: number;
  forwarded: number;
}

export function readHeader(bytes: Uint8Array): PacketHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    source: view.getBigUint64(VsockHeader.SRC_CID, true),
    destination: view.getBigUint64(VsockHeader.DST_CID, true),
    sourcePort: view.getUint32(VsockHeader.SRC_PORT, true),
    destinationPort: view.getUint32(VsockHeader.DST_PORT, true),
    length: view.getUint32(VsockHeader.LEN, true),
    type: view.getUint16(VsockHeader.TYPE, true),
    op: view.getUint16(VsockHeader.OP, true),
    flags: view.getUint32(VsockHeader.FLAGS, true),
    bufferSize: view.getUint32(VsockHeader.BUF_ALLOC, true),
    forwarded: view.getUint32(VsockHeader.FWD_CNT, true),
  };
}

export function writeHeader(header: PacketHeader): Uint8Array {
  const view = new DataView(new ArrayBuffer(VsockHeader.SIZE));
  view.setBigUint64(VsockHeader.SRC_CID, header.source, true);
  view.setBigUint64(VsockHeader.DST_CID, header.destination, true);
  view.setUint32(VsockHeader.SRC_PORT, header.sourcePort, true);
  view.setUint32(VsockHeader.DST_PORT, header.destinationPort, true);
  view.setUint32(VsockHeader.LEN, header.length, true);
  view.setUint16(VsockHeader.TYPE, header.type, true);
  view.setUint16(VsockHeader.OP, header.op, true);
  view.setUint32(VsockHeader.FLAGS, header.flags, true);
  view.setUint32(VsockHeader.BUF_ALLOC, header.bufferSize, true);
  view.setUint32(VsockHeader.FWD_CNT, header.forwarded, true);
  return new Uint8Array(view.buffer);
}

/** The answer to a packet that belongs to no connection: addresses the other way round. */
export function resetFor(header: Addresses): PacketHeader {
  return {
    source: header.destination,
    destination: header.source,
    sourcePort: header.destinationPort,
    destinationPort: header.sourcePort,
    length: 0,
    type: VsockType.STREAM,
    op: VsockOp.RST,
    flags: 0,
    bufferSize: 0,
    forwarded: 0,
  };
}
