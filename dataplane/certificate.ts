import { createPublicKey, type X509Certificate } from 'node:crypto';
import type { SigningKey } from './signing-key.ts';

/*
 * The certificate that a host shows on encrypted connections: self-signed by its own Ed25519 key, with its membership
 * token in it. Nobody signs it for others, so no second authority is needed: the token names the key that the
 * handshake has just proven. Written by hand, since it has one fixed form. @see RFC 5280 §4.1, RFC 8410 §3
 */

const ED25519 = Buffer.from('06032b6570', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex');
const TOKEN_PREFIX = 'shoal:';
/** A certificate says nothing of time: the token's own end counts. */
const NOT_BEFORE = '20200101000000Z';
const NOT_AFTER = '99991231235959Z';

/** Tags of ASN.1, DER. */
const TAG = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  text: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
  uri: 0x86,
  version: 0xa0,
  extensions: 0xa3,
};

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const bytes: number[] = [];
  for (let left = body.length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length, ...bytes]), body]);
}

const bits = (bytes: Uint8Array) => der(TAG.bits, Buffer.from([0]), bytes);
const algorithm = der(TAG.sequence, ED25519);

/** A certificate for a host's key that carries its membership token, and the key, both PEM. */
export function certificateFor(identity: SigningKey, token: string): { cert: string; key: string } {
  const name = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, COMMON_NAME, der(TAG.text, Buffer.from('shoal host')))),
  );
  const validity = der(
    TAG.sequence,
    der(TAG.time, Buffer.from(NOT_BEFORE)),
    der(TAG.time, Buffer.from(NOT_AFTER)),
  );
  const uri = der(TAG.sequence, der(TAG.uri, Buffer.from(TOKEN_PREFIX + token)));
  const extension = der(TAG.sequence, SUBJECT_ALT_NAME, der(TAG.octets, uri));
  const signed = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, Buffer.from([1])),
    algorithm,
    name,
    validity,
    name,
    der(TAG.sequence, algorithm, bits(identity.publicKey)),
    der(TAG.extensions, der(TAG.sequence, extension)),
  );
  const whole = der(TAG.sequence, signed, algorithm, bits(identity.sign(signed)));
  return { cert: pem('CERTIFICATE', whole), key: pem('PRIVATE KEY', identity.toPkcs8()) };
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/** What a certificate of the other end says: a token, not judged yet, and the raw key that the handshake proved. */
export function readCertificate(
  certificate: X509Certificate | undefined,
): { readonly token: string; readonly publicKey: Uint8Array } | undefined {
  const token = /^URI:shoal:([A-Za-z0-9_.-]{1,4096})$/.exec(certificate?.subjectAltName ?? '')?.[1];
  if (certificate === undefined || token === undefined) return undefined;
  const key = certificate.publicKey;
  if (key.asymmetricKeyType !== 'ed25519') return undefined;
  const spki = createPublicKey(key.export({ type: 'spki', format: 'pem' })).export({
    type: 'spki',
    format: 'der',
  });
  return { token, publicKey: new Uint8Array(spki.subarray(spki.length - 32)) };
}
