// Two ends that send each other messages, whatever carries them: a worker, a port of a
// MessageChannel. Messages are cloned; buffers in `transfer` move.

export interface Channel {
  post(message: unknown, transfer?: readonly Movable[]): void;
  /** Calls `listener` with each message from now on, in place of an earlier listener. */
  listen(listener: (message: unknown) => void): void;
  close(): void;
}

/** What a message can take along instead of a copy of it. */
export type Movable = ArrayBuffer | PortLike;

/** A port of a MessageChannel, as every host has it. */
export interface PortLike {
  postMessage(message: unknown, transfer: Movable[]): void;
  onmessage: ((event: { data: unknown }) => unknown) | null;
  close(): void;
}

export function portChannel(port: PortLike): Channel {
  return {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    listen(listener) {
      port.onmessage = ({ data }) => listener(data);
    },
    close: () => port.close(),
  };
}
