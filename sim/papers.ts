import type { Trust } from '../actors/host/trust.ts';
import type { AnnounceReply } from '../core/host-messages.ts';
import { importSigningKey, type SigningKey } from '../dataplane/signing-key.ts';
import type { SimRandom } from './random.ts';

/** An Ed25519 private key in PKCS #8, up to its 32 bytes. @see RFC 8410 §7 */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key pair from a seed. */
export function signingKeyOf(random: SimRandom): SigningKey {
  return importSigningKey(Buffer.concat([PKCS8_PREFIX, random.bytes(32)]));
}

/** The papers of a simulated host, which outlive its daemon: its key, its token, the scheduler keys it knows. */
export class SimPapers implements Trust {
  readonly key: SigningKey;
  readonly keys = new Map<string, Uint8Array>();
  #token: string | undefined;

  constructor(key: SigningKey) {
    this.key = key;
  }

  get publicKey(): Uint8Array {
    return this.key.publicKey;
  }

  get token(): string | undefined {
    return this.#token;
  }

  accept({ token, schedulerKeys }: AnnounceReply): void {
    this.#token = token;
    this.learnKeys(schedulerKeys);
  }

  learnKeys(keys: AnnounceReply['schedulerKeys']): void {
    for (const { id, publicKey } of keys) this.keys.set(id, publicKey);
  }
}
