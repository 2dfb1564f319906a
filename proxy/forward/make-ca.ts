import { webcrypto } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ShoalError } from '../../core/errors.ts';
import { makeDir } from '../../storage/private-files.ts';
import { loadX509, pemOfKey, serialNumber } from './x509.ts';

/** Where a new CA was put. */
export interface MadeCa {
  readonly certFile: string;
  readonly keyFile: string;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
  /** ISO 8601. */
  readonly expires: string;
}

const DAY_MS = 86_400_000;

/**
 * Makes a CA for the forward proxy: `ca.pem` for clients to trust, `ca.key` for its owner's eyes alone. What is there
 * already is left as it is.
 * @throws ERR_OUTPUT
 */
export async function makeCa(
  dir: string,
  options: { readonly name: string; readonly days: number },
): Promise<MadeCa> {
  const certFile = join(dir, 'ca.pem');
  const keyFile = join(dir, 'ca.key');
  const there = [certFile, keyFile].find((file) => existsSync(file));
  if (there !== undefined) {
    throw new ShoalError(
      'ERR_OUTPUT',
      `${there} is there already: clients may trust it; give another directory`,
    );
  }
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
  const key = pemOfKey(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const fingerprint = Buffer.from(await certificate.getThumbprint('SHA-256')).toString('hex');
  try {
    makeDir(dir);
    writeFileSync(keyFile, key, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw unwritten(dir, cause);
  }
  try {
    writeFileSync(certFile, `${certificate.toString('pem')}\n`, { flag: 'wx', mode: 0o644 });
  } catch (cause) {
    // A key without its certificate is of no use, and would be in the way of the next attempt.
    rmSync(keyFile);
    throw unwritten(dir, cause);
  }
  return { certFile, keyFile, fingerprint, expires: certificate.notAfter.toISOString() };
}

function unwritten(dir: string, cause: unknown): ShoalError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ShoalError('ERR_OUTPUT', `cannot put a CA into ${dir}: ${why}`, { cause });
}
