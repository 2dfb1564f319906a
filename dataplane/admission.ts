import type { X509Certificate } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { parseAuthorization, proofBytes } from './authorization.ts';
import { readCertificate } from './certificate.ts';
import type { Admission } from './data-plane.ts';
import { type TokenVerdict, verifyToken } from './membership-token.ts';
import { verifySignature } from './signing-key.ts';

/** What a host judges members of its swarm by. */
export interface MemberRules {
  readonly swarm: string;
  /** The schedulers' raw public keys by key id, as known now. */
  readonly keys: () => ReadonlyMap<string, Uint8Array>;
  readonly clock: Pick<Clock, 'wall'>;
  /** All that members may take for the time now, where it is not that of the clock alone. */
  readonly walls?: () => readonly [number, ...number[]];
  /** Whether this host is cut off from its schedulers: then tokens are honoured an hour beyond their end. */
  readonly isolated: () => boolean;
  /** Asks for a scheduler key to be looked up; called for every request that names it. */
  readonly onUnknownKey: (keyId: string) => void;
}

/** Judges who is at the other end of a connection, offline. */
export interface Admit {
  /** By the Authorization header of the first request in clear; each header admits once. */
  byProof(authorization: string | undefined): Admission;
  /** By the certificate whose key an encrypted connection has proven. */
  byCertificate(certificate: X509Certificate | undefined): Admission;
}

/** Proofs of one host that are remembered; it has no need of more within their time. */
const PROOFS_PER_HOST = 1_024;

/** The parent's admission: a member's token, and its owner's proof for this parent within a minute of now. */
export function createAdmission(rules: MemberRules & { readonly selfHostId: HostId }): Admit {
  const seen = new SeenProofs();
  return {
    byCertificate: (certificate) => judgeCertificate(rules, certificate),
    byProof(header) {
      if (header === undefined) return denied('no credentials');
      const authorization = parseAuthorization(header);
      if (authorization === undefined) return denied('malformed credentials');
      const { token, timeMs, proof } = authorization;
      const walls = wallsOf(rules);
      const isNear = walls.some((wallMs) => Math.abs(wallMs - timeMs) <= LIMITS.clockLeewayMs);
      if (!isNear) return denied('proof of another time');
      const nowMs = Math.min(...walls);
      const verdict = judgeToken(rules, token, nowMs);
      if (verdict.kind !== 'valid') return verdict;
      const { hostId, publicKey } = verdict.claims;
      if (!verifySignature(publicKey, proofBytes(rules.selfHostId, timeMs, token), proof)) {
        return denied('bad proof');
      }
      if (!seen.add(hostId, proof, timeMs + LIMITS.clockLeewayMs, nowMs)) return denied('proof seen before');
      return { kind: 'admitted', hostId };
    },
  };
}

/** Who a certificate is of: the token in it must be of this swarm, and name the key that it was made with. */
export function judgeCertificate(rules: MemberRules, certificate: X509Certificate | undefined): Admission {
  const read = readCertificate(certificate);
  if (read === undefined) return denied('no certificate of a host');
  const verdict = judgeToken(rules, read.token, Math.min(...wallsOf(rules)));
  if (verdict.kind !== 'valid') return verdict;
  const { hostId, publicKey } = verdict.claims;
  if (Buffer.compare(publicKey, read.publicKey) !== 0) return denied('certificate of another key');
  return { kind: 'admitted', hostId };
}

function wallsOf({ walls, clock }: MemberRules): readonly number[] {
  return walls?.() ?? [clock.wall()];
}

function judgeToken(rules: MemberRules, token: string, nowMs: number): TokenVerdict {
  const graceMs = LIMITS.clockLeewayMs + (rules.isolated() ? LIMITS.tokenMs : 0);
  const verdict = verifyToken(token, { swarm: rules.swarm, keys: rules.keys(), nowMs, graceMs });
  if (verdict.kind === 'key-unknown') rules.onUnknownKey(verdict.keyId);
  return verdict;
}

/** Accepted proofs for as long as they hold: whoever reads one on the wire gains nothing by it. */
class SeenProofs {
  readonly #byHost = new Map<HostId, Map<string, number>>();

  /** False for one that was seen before, or one too many. */
  add(hostId: HostId, proof: Uint8Array, untilMs: number, nowMs: number): boolean {
    const proofs = this.#byHost.get(hostId) ?? new Map<string, number>();
    const key = Buffer.from(proof).toString('base64');
    if (proofs.has(key)) return false;
    if (proofs.size >= PROOFS_PER_HOST) forgetBefore(proofs, nowMs);
    if (proofs.size >= PROOFS_PER_HOST) return false;
    proofs.set(key, untilMs);
    if (!this.#byHost.has(hostId)) this.#forgetHosts(nowMs);
    this.#byHost.set(hostId, proofs);
    return true;
  }

  #forgetHosts(nowMs: number): void {
    for (const [hostId, proofs] of this.#byHost) {
      forgetBefore(proofs, nowMs);
      if (proofs.size === 0) this.#byHost.delete(hostId);
    }
  }
}

function forgetBefore(proofs: Map<string, number>, nowMs: number): void {
  for (const [proof, untilMs] of proofs) if (untilMs < nowMs) proofs.delete(proof);
}

function denied(why: string): Admission & { readonly kind: 'denied' } {
  return { kind: 'denied', why };
}
