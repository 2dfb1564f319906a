import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { BOUNDS } from './bounds.ts';
import { certificateFor } from './certificate.ts';
import type { Credentials } from './http-data-plane.ts';

/** The first byte of a TLS record that carries a ClientHello; no HTTP request begins with it. @see RFC 8446 §5.1 */
const HANDSHAKE = 0x16;
const VERSION = 'TLSv1.3';

/**
 * Lets a server speak HTTP both in clear and inside TLS 1.3 on its one port: the first byte tells. The certificate
 * follows the membership token; without a token there is no TLS.
 * @param on `accepted` is called with each connection, false where there is no room for it; `opened` with each socket
 *   that HTTP is about to be spoken on
 */
export function serveBoth(
  server: Server,
  credentials: () => Credentials | undefined,
  on: { readonly accepted: (socket: Socket) => boolean; readonly opened: (socket: Socket) => void },
): void {
  const [speakHttp] = server.listeners('connection');
  if (speakHttp === undefined) throw new Error('an HTTP server without a listener for connections');
  server.removeAllListeners('connection');
  const serve = (socket: Socket) => {
    on.opened(socket);
    speakHttp.call(server, socket);
  };
  const secure = createServer(
    {
      minVersion: VERSION,
      requestCert: true,
      // A certificate is judged by the token in it, with the first request.
      rejectUnauthorized: false,
      handshakeTimeout: BOUNDS.requestHeadMs,
    },
    (socket: TLSSocket) => serve(socket),
  );
  secure.on('tlsClientError', (_error, socket) => socket.destroy());
  let token: string | undefined;
  server.on('connection', (socket: Socket) => {
    if (!on.accepted(socket)) return;
    const late = setTimeout(() => socket.destroy(), BOUNDS.requestHeadMs);
    socket.once('close', () => clearTimeout(late));
    socket.once('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      clearTimeout(late);
      socket.pause();
      socket.unshift(first);
      if (first[0] !== HANDSHAKE) serve(socket);
      else {
        const own = credentials();
        if (own === undefined) return void socket.destroy();
        // This sets all options of a context anew, the version too.
        if (own.token !== token)
          secure.setSecureContext({ ...certificateFor(own.identity, own.token), minVersion: VERSION });
        token = own.token;
        secure.emit('connection', socket);
      }
      process.nextTick(() => socket.resume());
    });
  });
}
