import { nkeys } from '@nats-io/transport-node';

/** A new nkey of a NATS user: the server is told the public key, the user keeps the seed. */
export function newUserKey(): { readonly publicKey: string; readonly seed: string } {
  const pair = nkeys.createUser();
  return { publicKey: pair.getPublicKey(), seed: new TextDecoder().decode(pair.getSeed()) };
}
