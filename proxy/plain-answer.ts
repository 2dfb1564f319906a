import type { Duplex } from 'node:stream';

/** How long a connection that was refused stays for its client to read why. */
const LAST_WORDS_MS = 1_000;

const STATUS_OF: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** An answer of the proxy itself, where no response object is. */
export function plainAnswer(status: number, text: string): string {
  const head = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\nconnection: close\r\ncontent-type: text/plain`;
  return `${head}\r\ncontent-length: ${Buffer.byteLength(text) + 1}\r\n\r\n${text}\n`;
}

/** Answers a request that the HTTP parser does not accept, or that never came to its end, and closes the connection. */
export function refuseUnread(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status = STATUS_OF[error.code ?? ''] ?? 400;
  socket.end(plainAnswer(status, 'the request cannot be read'), () => socket.destroy());
}

/**
 * Says the last words on a connection that nobody else reads. What the client still sends is dropped, and it is cut
 * where it does not close its own side.
 */
export function endWith(socket: Duplex, text: string): void {
  const timer = setTimeout(() => socket.destroy(), LAST_WORDS_MS);
  socket.once('close', () => clearTimeout(timer));
  if (socket.destroyed) clearTimeout(timer);
  socket.resume();
  socket.end(text);
}
