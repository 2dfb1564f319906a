import { z } from 'zod';
import { type HostId, isHostId } from '../core/ids.ts';
import { fromBase64Url, toBase64Url } from './base64url.ts';
import { type SigningKey, verifySignature } from './signing-key.ts';

/** What a scheduler vouches for: this host, with this key, is a member of this swarm until then. */
export interface TokenClaims {
  readonly hostId: HostId;
  /** The host's raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly swarm: string;
  /** Wall-clock milliseconds after which the token no longer admits. */
  readonly expMs: number;
}

/** What became of a token: its claims, not yet proven by anybody, and what its signature says. */
export type TokenVerdict =
  | { readonly kind: 'valid'; readonly claims: TokenClaims }
  | { readonly kind: 'denied'; readonly why: string }
  | { readonly kind: 'key-unknown'; readonly keyId: string };

const MAX_TOKEN = 4096;
const KEY_ID = /^[0-9a-f]{16}$/;

const payloadSchema = z.strictObject({
  v: z.literal(1),
  hostId: z.custom<HostId>((value) => typeof value === 'string' && isHostId(value)),
  publicKey: z.string().length(43),
  swarm: z.string().min(1).max(128),
  expMs: z.int().min(0),
  keyId: z.string().regex(KEY_ID),
});

/** Bytes under a scheduler's signature; the prefix keeps them from ever being taken for something else. */
function signedBytes(payload: string): Uint8Array {
  return Buffer.from(`shoal membership token 1\n${payload}`);
}

/** A membership token: base64url(payload) "." base64url(signature), at most 4096 characters. */
export function mintToken(signer: SigningKey, claims: TokenClaims): string {
  const { hostId, swarm, expMs } = claims;
  const publicKey = toBase64Url(claims.publicKey);
  const json = JSON.stringify({ v: 1, hostId, publicKey, swarm, expMs, keyId: signer.keyId });
  const payload = toBase64Url(Buffer.from(json));
  return `${payload}.${toBase64Url(signer.sign(signedBytes(payload)))}`;
}

/**
 * Judges a token of this swarm by the schedulers' raw public keys. A token is good until `graceMs` after its
 * expiry. Nothing secret is compared, so nothing needs to take constant time.
 */
export function verifyToken(
  token: string,
  against: {
    readonly swarm: string;
    readonly keys: ReadonlyMap<string, Uint8Array>;
    readonly nowMs: number;
    readonly graceMs: number;
  },
): TokenVerdict {
  if (token.length > MAX_TOKEN) return denied('token too long');
  const [payload = '', mark = '', ...more] = token.split('.');
  const signature = fromBase64Url(mark);
  const parsed = more.length === 0 ? parsePayload(payload) : undefined;
  if (parsed === undefined || signature === undefined) return denied('malformed token');
  const { keyId, claims } = parsed;
  if (claims.swarm !== against.swarm) return denied('token of another swarm');
  if (claims.expMs + against.graceMs < against.nowMs) return denied('token expired');
  const key = against.keys.get(keyId);
  if (key === undefined) return { kind: 'key-unknown', keyId };
  if (!verifySignature(key, signedBytes(payload), signature)) return denied('bad token signature');
  return { kind: 'valid', claims };
}

function denied(why: string): TokenVerdict {
  return { kind: 'denied', why };
}

function parsePayload(payload: string): { keyId: string; claims: TokenClaims } | undefined {
  const bytes = fromBase64Url(payload);
  if (bytes === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  const parsed = payloadSchema.safeParse(json);
  if (!parsed.success) return undefined;
  const { hostId, swarm, expMs, keyId } = parsed.data;
  const publicKey = fromBase64Url(parsed.data.publicKey);
  if (publicKey?.length !== 32) return undefined;
  return { keyId, claims: { hostId, swarm, expMs, publicKey } };
}
