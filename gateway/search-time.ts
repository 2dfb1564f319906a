import type { Clock } from '../core/clock.ts';
import { GATEWAY_LIMITS } from './limits.ts';

/** Whether a search that begins now has taken so long that its page is to end. */
export function searchTime({ clock }: { readonly clock: Clock }): () => boolean {
  const untilMs = clock.now() + GATEWAY_LIMITS.searchMs;
  return () => clock.now() > untilMs;
}
