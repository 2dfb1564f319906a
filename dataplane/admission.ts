import type { Clock } from '../core/clock.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { parseAuthorization, proofBytes } from './authorization.ts';
import type { Admission } from './data-plane.ts';
import { verifyToken } from './membership-token.ts';
import { verifySignature } from './signing-key.ts';

/** What a parent judges credentials by. */
export interface AdmissionOptions {
  readonly swarm: string;
  readonly selfHostId: HostId;
  /** The schedulers' raw public keys by key id, as known now. */
  readonly keys: () => ReadonlyMap<string, Uint8Array>;
  readonly clock: Pick<Clock, 'wall'>;
  /** Whether this host is cut off from its schedulers: then tokens are honoured an hour beyond their end. */
  readonly isolated: () => boolean;
  /** Asks for a scheduler key to be looked up; called for every request that names it. */
  readonly onUnknownKey: (keyId: string) => void;
}

/** Judges the Authorization header of a connection's first request, offline. */
export type Admit = (authorization: string | undefined) => Admission;

/** The parent's admission: a member's token, and its owner's proof for this parent within a minute of now. */
export function createAdmission(options: AdmissionOptions): Admit {
  return (header) => {
    if (header === undefined) return denied('no credentials');
    const authorization = parseAuthorization(header);
    if (authorization === undefined) return denied('malformed credentials');
    const { token, timeMs, proof } = authorization;
    const nowMs = options.clock.wall();
    if (Math.abs(nowMs - timeMs) > LIMITS.clockLeewayMs) return denied('proof of another time');
    const graceMs = LIMITS.clockLeewayMs + (options.isolated() ? LIMITS.tokenMs : 0);
    const verdict = verifyToken(token, { swarm: options.swarm, keys: options.keys(), nowMs, graceMs });
    if (verdict.kind === 'key-unknown') options.onUnknownKey(verdict.keyId);
    if (verdict.kind !== 'valid') return verdict;
    const { hostId, publicKey } = verdict.claims;
    if (!verifySignature(publicKey, proofBytes(options.selfHostId, timeMs, token), proof)) {
      return denied('bad proof');
    }
    return { kind: 'admitted', hostId };
  };
}

function denied(why: string): Admission {
  return { kind: 'denied', why };
}
