import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { ShoalError } from '../core/errors.ts';

/** An Ed25519 key pair: a host's identity, or what a scheduler signs membership tokens with. */
export interface SigningKey {
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** First 16 hex digits of the SHA-256 of the public key. */
  readonly keyId: string;
  /** A signature of 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
  /** The private key as PKCS #8 DER, to be kept where only the daemon reads it. */
  toPkcs8(): Uint8Array;
}

/** SubjectPublicKeyInfo of an Ed25519 key, up to its 32 bytes. @see RFC 8410 §4 */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

function signingKeyFrom(privateKey: KeyObject): SigningKey {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const publicKey = new Uint8Array(spki.subarray(SPKI_PREFIX.length));
  return {
    publicKey,
    keyId: keyIdOf(publicKey),
    sign: (message) => sign(null, message, privateKey),
    toPkcs8: () => privateKey.export({ type: 'pkcs8', format: 'der' }),
  };
}

/** A new random key pair. */
export function newSigningKey(): SigningKey {
  return signingKeyFrom(generateKeyPairSync('ed25519').privateKey);
}

/** The key pair that `toPkcs8` wrote. @throws ERR_CONFIG_INVALID */
export function importSigningKey(pkcs8: Uint8Array): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(pkcs8), type: 'pkcs8', format: 'der' });
  } catch (cause) {
    throw new ShoalError('ERR_CONFIG_INVALID', 'the stored key is not a private key', { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new ShoalError('ERR_CONFIG_INVALID', 'the stored key is not an Ed25519 key');
  }
  return signingKeyFrom(key);
}

/** Names a public key of 32 raw bytes: the first 16 hex digits of its SHA-256. */
export function keyIdOf(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 16);
}

/** Whether `signature` is the key's own over `message`; false for anything that is no key or no signature. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    return verify(null, message, keyObjectOf(publicKey), signature);
  } catch {
    return false;
  }
}

/** Keys as node:crypto wants them: making one costs as much as using it, and they are those of the hosts around. */
const KEY_OBJECTS = 1_024;
const keyObjects = new Map<string, KeyObject>();

function keyObjectOf(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey).toString('latin1');
  const known = keyObjects.get(name);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), type: 'spki', format: 'der' });
  if (keyObjects.size >= KEY_OBJECTS) keyObjects.clear();
  keyObjects.set(name, key);
  return key;
}
