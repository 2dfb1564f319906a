import type { WhoAmI } from './rows.ts';

/** Whether a token may do what takes one of these scopes; none: everybody may. What it may not do is not offered. */
export function isAllowed({ scopes }: WhoAmI, needed: readonly string[]): boolean {
  return needed.length === 0 || scopes.includes('admin') || needed.some((scope) => scopes.includes(scope));
}
