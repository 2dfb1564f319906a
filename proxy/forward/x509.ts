import { createPrivateKey, randomBytes } from 'node:crypto';

type X509 = typeof import('@peculiar/x509');

/** Loaded where a certificate is made: most hosts never make one. */
export async function loadX509(): Promise<X509> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

/** 16 random bytes in hexadecimal, a positive number. @see RFC 5280 §4.1.2.2 */
export function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

/** A private key as PEM. */
export function pemOfKey(pkcs8: ArrayBuffer): string {
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}
