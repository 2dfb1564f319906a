import type { Claim, RegistryQuestion } from '../../core/claim.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';

/** What a request claims: what is at this path of its registry, asked for as the client itself would. */
export function claimOf(
  { limits }: Pick<MirrorWorld, 'limits'>,
  { base, authorization, accept, via }: Ask,
  path: string,
): Claim & { readonly question: RegistryQuestion } {
  const headers = { via, ...(accept !== undefined && { accept }) };
  const question = { kind: 'registry', base, path, authorization, headers, limitMs: limits.askMs } as const;
  return { content: `${base}${path}`, credential: authorization, question };
}
