import { z } from 'zod';

/** Why a host read pieces from the origin though it is in a swarm: each byte has one reason, found as its read begins. */
export const ORIGIN_REASONS = {
  'no-holder': { words: 'no holder yet', about: 'nobody in the swarm had the piece yet' },
  adrift: { words: 'adrift', about: 'no scheduler answered' },
  'refused-epoch': { words: 'scheduler not believed', about: 'one answered that is not believed' },
  starved: { words: 'nothing came', about: 'nothing came by what the scheduler said' },
  unreachable: { words: 'holders out of reach', about: 'holders cannot be got at from here' },
  credentials: { words: 'credentials', about: "the content is read with one's own credentials" },
  'lone-host': { words: 'lone host', about: 'there is nobody else to ask' },
  'no-parent': {
    words: 'no parent gave it',
    about: 'hosts were asked for the piece, and none of them gave it',
  },
} as const;

export const originReasonSchema = z.enum(Object.keys(ORIGIN_REASONS) as (keyof typeof ORIGIN_REASONS)[]);
export type OriginReadReason = keyof typeof ORIGIN_REASONS;

/** A reason as people read it; one that only a newer host knows stays as it is. */
export function reasonWords(reason: string): string {
  const known: Readonly<Record<string, { readonly words: string }>> = ORIGIN_REASONS;
  return known[reason]?.words ?? reason;
}
