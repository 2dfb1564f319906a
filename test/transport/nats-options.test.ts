import type { PeerCertificate } from 'node:tls';
import { expect, test } from 'vitest';
import { isInboxOf } from '../../transport/inbox.ts';
import { connectionOptions } from '../../transport/nats-options.ts';

/** Whether a certificate with these names is taken for the server that Node thinks it speaks to. */
function taken(servers: string, host: string, subjectaltname: string): boolean {
  const { tls } = connectionOptions({ servers, name: 'n' });
  if (typeof tls !== 'object' || tls === null || !('checkServerIdentity' in tls)) throw new Error('no TLS');
  const check = tls.checkServerIdentity as (host: string, certificate: PeerCertificate) => Error | undefined;
  return check(host, { subject: { CN: '' }, subjectaltname } as PeerCertificate) === undefined;
}

test('a server that is named by address proves that address, not that it is localhost', () => {
  const byAddress = 'tls://10.0.0.1:4222,tls://10.0.0.2:4222';
  expect(taken(byAddress, 'localhost', 'IP Address:10.0.0.1')).toBe(true);
  expect(taken(byAddress, 'localhost', 'IP Address:10.0.0.2')).toBe(true);
  expect(taken(byAddress, 'localhost', 'IP Address:10.0.0.3')).toBe(false);
  expect(taken(byAddress, 'localhost', 'DNS:localhost')).toBe(false);
  expect(taken('tls://[fd00::1]:4222', 'localhost', 'IP Address:FD00:0:0:0:0:0:0:1')).toBe(true);
});

test('a server that is named proves its name', () => {
  expect(taken('tls://nats.example', 'nats.example', 'DNS:nats.example')).toBe(true);
  expect(taken('tls://nats.example', 'nats.example', 'DNS:other.example')).toBe(false);
  expect(taken('tls://localhost', 'localhost', 'DNS:localhost')).toBe(true);
  expect(taken('tls://localhost,tls://10.0.0.1', 'localhost', 'DNS:localhost')).toBe(true);
});

test.each([
  ['_INBOX_SHOAL.host.me.x', true],
  ['_INBOX_SHOAL.client.me.x.y-1_Z', true],
  ['_INBOX_SHOAL.scheduler.me.x', true],
  ['_INBOX_SHOAL.host.me', false],
  ['_INBOX_SHOAL.host.me.', false],
  ['_INBOX_SHOAL.host.me..x', false],
  ['_INBOX_SHOAL.host.me.>', false],
  ['_INBOX_SHOAL.host.me.x.*', false],
  ['_INBOX_SHOAL.host.other.x', false],
  ['_INBOX_SHOAL.host.meme.x', false],
  ['_INBOX_SHOAL.king.me.x', false],
  ['_INBOX_SHOAL.me.x', false],
  ['_INBOX.host.me.x', false],
  ['shoal.v1.log.1.t.retired', false],
  ['$JS.API.STREAM.DELETE.shoal-tasks', false],
  ['', false],
])('%s lies below the inbox of its sender: %s', (reply, expected) => {
  expect(isInboxOf('me', reply)).toBe(expected);
});

test('nobody is the sender of an empty name', () => {
  expect(isInboxOf('', '_INBOX_SHOAL.host..x')).toBe(false);
});
