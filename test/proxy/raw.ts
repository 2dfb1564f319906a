import { connect, type Socket } from 'node:net';

/** A connection on which anything can be said. */
export interface Raw extends AsyncDisposable {
  readonly socket: Socket;
  send(text: string): void;
  /** All that came until the other side closed the connection. */
  readonly closed: Promise<string>;
  /** What came so far. */
  text(): string;
}

/** Connects to a port of 127.0.0.1. */
export function connectRaw(port: number): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => {
      text += part;
    });
    const closed = new Promise<string>((settle) => socket.once('close', () => settle(text)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.on('error', () => undefined);
      resolve({
        socket,
        closed,
        text: () => text,
        send: (part) => void socket.write(part, 'latin1'),
        async [Symbol.asyncDispose]() {
          socket.destroy();
          await closed;
        },
      });
    });
  });
}

/** Says something, and gives back what came until the other side closed. */
export async function say(port: number, text: string): Promise<string> {
  await using raw = await connectRaw(port);
  raw.send(text);
  return await raw.closed;
}
