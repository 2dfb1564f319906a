import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What befalls the bytes on their way from the server to the client. Counts are per connection, in bytes. */
export interface Faults {
  /** Holds each chunk back for so long, ms. */
  delayMs?: number;
  /** Closes both ends after this many bytes. */
  cutAfterBytes?: number;
  /** Lets nothing more through after this many bytes, and keeps the connection open. */
  stallAfterBytes?: number;
  /** Flips one bit of the byte at this offset. */
  corruptAtByte?: number;
}

/** A TCP proxy between a client and a server that does harm. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Bytes let through to clients so far. */
  readonly passedBytes: number;
  /** For chunks from now on, on every connection. */
  set(faults: Faults): void;
  /** Breaks every open connection. */
  cutAll(): void;
}

/** Listens on a free port of 127.0.0.1. */
export async function startFaultProxy(
  target: { readonly ip: string; readonly port: number },
  initial: Faults = {},
): Promise<FaultProxy> {
  let faults = initial;
  let accepted = 0;
  let passedBytes = 0;
  const open = new Set<Socket>();

  function keep(socket: Socket, other: Socket): void {
    open.add(socket);
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      open.delete(socket);
      other.destroy();
    });
  }

  const server = createServer((client) => {
    accepted += 1;
    const upstream = connect({ host: target.ip, port: target.port });
    let position = 0;
    keep(client, upstream);
    keep(upstream, client);
    client.pipe(upstream);

    function pass(chunk: Buffer): void {
      const { cutAfterBytes: cut = Infinity, stallAfterBytes: stall = Infinity, corruptAtByte } = faults;
      const from = position;
      const kept = chunk.subarray(0, Math.max(0, Math.min(cut, stall) - from));
      position += chunk.length;
      if (corruptAtByte !== undefined && corruptAtByte >= from && corruptAtByte < from + kept.length) {
        kept[corruptAtByte - from] = (kept[corruptAtByte - from] ?? 0) ^ 1;
      }
      passedBytes += kept.length;
      if (position > cut) {
        client.end(kept, () => client.destroy());
        return;
      }
      if (kept.length > 0 && !client.write(kept)) {
        upstream.pause();
        client.once('drain', () => upstream.resume());
      }
    }

    upstream.on('data', (chunk) => {
      if (faults.delayMs === undefined) pass(chunk);
      else setTimeout(() => pass(chunk), faults.delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const cutAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted;
    },
    get passedBytes() {
      return passedBytes;
    },
    set(next) {
      faults = next;
    },
    cutAll,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cutAll();
      }),
  };
}
