import { webcrypto } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ShoalError } from '../../core/errors.ts';
import { loadX509, pemOfKey, serialNumber } from './x509.ts';

/** Where a new CA was put. */
export interface MadeCa {
  readonly certFile: string;
  readonly keyFile: string;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
}

const DAY_MS = 86_400_000;

/**
 * Makes a CA for the forward proxy: `ca.pem` for clients to trust, `ca-key.pem` for its owner's eyes alone. What is
 * there already is left as it is.
 * @throws ERR_OUTPUT
 */
export async function makeCa(
  dir: string,
  options: { readonly name: string; readonly days: number },
): Promise<MadeCa> {
  const x509 = await loadX509();
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [options.name] }],
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + options.days * DAY_MS),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const certFile = join(dir, 'ca.pem');
  const keyFile = join(dir, 'ca-key.pem');
  try {
    mkdirSync(dir, { recursive: true });
    write(keyFile, pemOfKey(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)), 0o600);
    write(certFile, `${certificate.toString('pem')}\n`, 0o644);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_OUTPUT', `cannot put a CA into ${dir}: ${why}`, { cause });
  }
  const fingerprint = Buffer.from(await certificate.getThumbprint('SHA-256')).toString('hex');
  return { certFile, keyFile, fingerprint };
}

function write(file: string, text: string, mode: number): void {
  const handle = openSync(file, 'wx', mode);
  try {
    writeSync(handle, text);
  } finally {
    closeSync(handle);
  }
}
