import { ShoalError } from '../../core/errors.ts';
import { parseSourceUrl } from '../../core/source.ts';
import { parseChallenges } from './challenge.ts';

/** What a registry wants of those who ask. */
export type RegistryDemand =
  | { readonly kind: 'basic' }
  | {
      readonly kind: 'bearer';
      /** Where tokens are to be had; without user-info. */
      readonly realm: string;
      readonly service: string | undefined;
      /** One or several, parted by spaces. */
      readonly scope: string | undefined;
    };

const LONGEST_PARAM = 4096;

/**
 * Reads a `WWW-Authenticate` header; a token is preferred to a password. Undefined where nothing in it is known.
 * @param repository What was asked for; empty for what belongs to none. Where the header names no scope, to pull this.
 * @see distribution, Token Scope Documentation: a scope need not be named
 */
export function demandOf(header: string, repository: string): RegistryDemand | undefined {
  const ownScope = repository === '' ? undefined : `repository:${repository}:pull`;
  const challenges = parseChallenges(header);
  for (const { scheme, params } of challenges) {
    const realm = scheme === 'bearer' ? realmOf(params.get('realm')) : undefined;
    const [service, scope] = [params.get('service'), params.get('scope')?.trim() || ownScope];
    if (realm === undefined || (service?.length ?? 0) > LONGEST_PARAM) continue;
    if ((scope?.length ?? 0) <= LONGEST_PARAM) return { kind: 'bearer', realm, service, scope };
  }
  return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
}

function realmOf(text: string | undefined): string | undefined {
  if (text === undefined || text.length > LONGEST_PARAM) return undefined;
  try {
    return parseSourceUrl(text).url;
  } catch (error) {
    if (error instanceof ShoalError) return undefined;
    throw error;
  }
}
