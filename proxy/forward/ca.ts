import { createPrivateKey, type KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ShoalError } from '../../core/errors.ts';
import { FORWARD_LIMITS } from './limits.ts';
import { loadX509, pemOfKey, serialNumber } from './x509.ts';

type Algorithm = webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams;

/** Makes certificates for the hosts whose connections are looked into. */
export interface CertificateAuthority {
  /** What a server of `host` shows. Made once for each host, and again before it expires. */
  contextFor(host: string): Promise<SecureContext>;
}

const DAY_MS = 86_400_000;
const LEAF_DAYS = 7;
/** Clocks of clients may be behind. */
const BACKDATED_MS = DAY_MS;

/**
 * Reads a CA from PEM files: EC P-256, P-384 or RSA.
 * @throws ERR_CONFIG_INVALID where a file cannot be read, is no CA, or the key is another's
 */
export async function loadCa(certFile: string, keyFile: string): Promise<CertificateAuthority> {
  const certText = read(certFile, 'proxy-ca-cert');
  const certificate = parse(() => new X509Certificate(certText), certFile, 'is no certificate');
  const key = parse(() => createPrivateKey(read(keyFile, 'proxy-ca-key')), keyFile, 'is no private key');
  if (!certificate.ca) throw invalid(`${certFile} is not the certificate of a CA`);
  if (!certificate.checkPrivateKey(key)) throw invalid(`${keyFile} is not the key of ${certFile}`);
  const expiresMs = Date.parse(certificate.validTo);
  if (expiresMs <= Date.now()) throw invalid(`${certFile} has expired on ${certificate.validTo}`);
  const x509 = await loadX509();
  const signingKey = await importKey(key, keyFile);
  const issuer = new x509.X509Certificate(certificate.raw);
  const leafKeys = (await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const leafKeyText = pemOfKey(await webcrypto.subtle.exportKey('pkcs8', leafKeys.privateKey));
  const leaves = new Map<string, { context: Promise<SecureContext>; renewMs: number }>();

  async function make(host: string, notAfter: Date): Promise<SecureContext> {
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      // A common name holds 64 characters at most; clients read the alternative names alone.
      subject: [{ CN: [host.slice(0, 64)] }],
      issuer: issuer.subjectName,
      notBefore: new Date(Date.now() - BACKDATED_MS),
      notAfter,
      signingKey,
      publicKey: leafKeys.publicKey,
      signingAlgorithm: signingAlgorithm(key),
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: isIP(host) === 0 ? 'dns' : 'ip', value: host }]),
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        await x509.AuthorityKeyIdentifierExtension.create(issuer),
        await x509.SubjectKeyIdentifierExtension.create(leafKeys.publicKey),
      ],
    });
    return createSecureContext({
      cert: `${leaf.toString('pem')}\n${certText}`,
      key: leafKeyText,
      minVersion: 'TLSv1.2',
    });
  }

  return {
    contextFor(host) {
      const nowMs = Date.now();
      const known = leaves.get(host);
      leaves.delete(host);
      const usable = known !== undefined && nowMs < known.renewMs;
      const notAfterMs = Math.min(expiresMs, nowMs + LEAF_DAYS * DAY_MS);
      const leaf = usable
        ? known
        : { context: make(host, new Date(notAfterMs)), renewMs: nowMs + (notAfterMs - nowMs) / 2 };
      leaves.set(host, leaf);
      leaf.context.catch(() => leaves.delete(host));
      for (const oldest of leaves.keys()) {
        if (leaves.size <= FORWARD_LIMITS.leaves) break;
        leaves.delete(oldest);
      }
      return leaf.context;
    },
  };
}

function invalid(what: string, cause?: unknown): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', what, { cause });
}

function read(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw invalid(`${setting}: cannot read ${file}: ${(cause as Error).message}`, cause);
  }
}

function parse<T>(make: () => T, file: string, what: string): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause;
    throw invalid(`${file} ${what}`, cause);
  }
}

function algorithmOf(key: KeyObject): Algorithm | undefined {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1') return { name: 'ECDSA', namedCurve: 'P-256' };
  if (curve === 'secp384r1') return { name: 'ECDSA', namedCurve: 'P-384' };
  return undefined;
}

async function importKey(key: KeyObject, file: string): Promise<webcrypto.CryptoKey> {
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) throw invalid(`${file} is neither an RSA key nor one on P-256 or P-384`);
  return webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, [
    'sign',
  ]);
}

function signingAlgorithm(key: KeyObject): { name: string; hash: string } {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return { name: 'ECDSA', hash: 'SHA-256' };
}
