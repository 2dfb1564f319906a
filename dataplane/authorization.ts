import type { HostId } from '../core/ids.ts';
import { fromBase64Url, toBase64Url } from './base64url.ts';
import type { SigningKey } from './signing-key.ts';

/** What the first request of a connection carries: a token, and its owner's proof for one parent at one time. */
export interface Authorization {
  readonly token: string;
  /** Wall-clock milliseconds of the child. */
  readonly timeMs: number;
  /** Ed25519 signature, 64 bytes. */
  readonly proof: Uint8Array;
}

const HEADER = /^Shoal ([A-Za-z0-9_-]{1,4000}\.[A-Za-z0-9_-]{86}) (0|[1-9]\d{0,14}) ([A-Za-z0-9_-]{86})$/;

/** What a child signs to prove that it owns its token's key, to this parent, now. */
export function proofBytes(parent: HostId, timeMs: number, token: string): Uint8Array {
  return Buffer.from(`shoal data plane 1\n${parent}\n${timeMs}\n${token}`);
}

/** The Authorization header for a new connection to `parent`. */
export function formatAuthorization(
  identity: SigningKey,
  token: string,
  parent: HostId,
  timeMs: number,
): string {
  const time = Math.trunc(timeMs);
  return `Shoal ${token} ${time} ${toBase64Url(identity.sign(proofBytes(parent, time, token)))}`;
}

/** Undefined where the header is anything but well formed. */
export function parseAuthorization(header: string): Authorization | undefined {
  const [, token, time, mark] = HEADER.exec(header) ?? [];
  const proof = mark === undefined ? undefined : fromBase64Url(mark);
  if (token === undefined || time === undefined || proof === undefined) return undefined;
  return { token, timeMs: Number(time), proof };
}
