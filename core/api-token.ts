import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Random } from './clock.ts';
import { uint } from './message-fields.ts';

/*
 * A token of the HTTP API: `shoal_<id>_<secret>`. The secret has 256 random bits, so that a plain hash of it, which is
 * all that is kept, gives nobody the secret.
 */

/** What a token may do: read, have jobs done, or everything. */
export const SCOPES = ['read', 'jobs', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export const tokenNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'letters, digits, `.`, `-` and `_` only, at most 64');

/** What is kept of a token. */
export const tokenRecordSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: tokenNameSchema,
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
  /** SHA-256 of the secret, hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Wall-clock ms. */
  createdAtMs: uint,
  /** Absent: it does not expire. */
  expiresAtMs: uint.optional(),
});
export type TokenRecord = z.infer<typeof tokenRecordSchema>;

const TOKEN = /^shoal_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** The parts of a new token. */
export function makeToken(random: Random): {
  readonly id: string;
  readonly hash: string;
  readonly text: string;
} {
  const id = Buffer.from(random.bytes(8)).toString('hex');
  const secret = Buffer.from(random.bytes(32)).toString('base64url');
  return { id, hash: hashOf(secret), text: `shoal_${id}_${secret}` };
}

/** The parts of a token as somebody shows it; undefined where it is none. */
export function readToken(text: string): { readonly id: string; readonly hash: string } | undefined {
  const [, id, secret] = TOKEN.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, hash: hashOf(secret) };
}

/** Whether the token that was shown is the one that is kept. */
export function isSame(shown: { readonly hash: string }, { hash }: TokenRecord): boolean {
  return timingSafeEqual(Buffer.from(shown.hash, 'hex'), Buffer.from(hash, 'hex'));
}

/** Whether a token has run out. */
export function isExpired({ expiresAtMs }: TokenRecord, wallMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= wallMs;
}

/** Whether a token may do what takes one of these scopes. */
export function mayDo({ scopes }: TokenRecord, wanted: readonly Scope[]): boolean {
  return scopes.includes('admin') || wanted.some((scope) => scopes.includes(scope));
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
