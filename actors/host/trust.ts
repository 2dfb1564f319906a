import type { AnnounceReply } from '../../core/host-messages.ts';

/** A host's papers: its key, the token a scheduler gave it, and the scheduler keys it knows. */
export interface Trust {
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  accept(reply: AnnounceReply): void;
  learnKeys(keys: AnnounceReply['schedulerKeys']): void;
}
