import { randomBytes } from 'node:crypto';
import { newUserKey } from '../../transport/nkeys.ts';

/** What a user logs in with, as the server knows it and as its owner does. */
export interface MadeSecret {
  readonly key: { nkey: string } | { user: string; password: string };
  /** The line of the login file. */
  readonly line: string;
}

/** A new nkey, of which the server knows the public half alone; or a new password of 256 bits. */
export function makeSecret(kind: 'nkeys' | 'passwords', user: string): MadeSecret {
  if (kind === 'nkeys') {
    const { publicKey, seed } = newUserKey();
    return { key: { nkey: publicKey }, line: seed };
  }
  const password = randomBytes(32).toString('base64url');
  return { key: { user, password }, line: `${user}:${password}` };
}
