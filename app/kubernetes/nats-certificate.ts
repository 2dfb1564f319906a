import { webcrypto } from 'node:crypto';
import { loadX509, pemOfKey, serialNumber } from '../../proxy/forward/x509.ts';

/** What a NATS server shows, and what its clients know it by; PEM. */
export interface NatsCertificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
/** Nobody would renew in time what ends within a year; `shoal kubernetes accounts` makes new ones where the old are removed. */
const DAYS = 3_650;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * A certificate for NATS servers of these names, and the CA that signed it. The key of the CA is kept nowhere, so that
 * nothing else is ever signed by it: servers of a NATS cluster may believe each other by it.
 */
export async function makeNatsCertificate(names: readonly string[], nowMs: number): Promise<NatsCertificate> {
  const x509 = await loadX509();
  const [caKeys, keys] = [await newKeys(), await newKeys()];
  const dates = { notBefore: new Date(nowMs - DAY_MS), notAfter: new Date(nowMs + DAYS * DAY_MS) };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ['Shoal NATS CA'] }],
    ...dates,
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: ['Shoal NATS'] }],
    issuer: ca.subject,
    ...dates,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // A server of a cluster is a client of the others.
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  return {
    ca: `${ca.toString('pem')}\n`,
    cert: `${cert.toString('pem')}\n`,
    key: pemOfKey(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ]) as Promise<webcrypto.CryptoKeyPair>;
}
