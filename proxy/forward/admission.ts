import type { Access } from '../../actors/access.ts';
import { credentialOf, verdictOf, within } from '../../actors/audience.ts';
import type { AdmitFacts } from '../../actors/downloads.ts';
import type { Clock } from '../../core/clock.ts';
import { toShoalError } from '../../core/errors.ts';
import { canonicalUrl } from '../../core/source.ts';
import type { Origin } from '../../origins/origin.ts';
import { asksWithCredentials } from '../../origins/request-headers.ts';

/** What asking origins about clients needs. */
export interface AdmissionWorld {
  readonly clock: Clock;
  readonly origin: Origin;
  readonly access: Access;
}

const ASK_MS = 8_000;

/**
 * The check of a client that asks one source for content under its digest, or by a signed URL: its own source lets it
 * in, now or a short while ago.
 */
export function admission(
  { clock, origin, access }: AdmissionWorld,
  request: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): (facts: AdmitFacts) => Promise<void> {
  const { url, headers } = request;
  const isSigned = asksWithCredentials(new URL(url), {});
  // What signs a URL is a credential like any other.
  const credential = isSigned ? `${credentialOf(headers) ?? ''} ${url}` : credentialOf(headers);
  return ({ wasPublic }) =>
    access.prove({ content: canonicalUrl(url), credential, wasOpen: wasPublic }, async () => {
      const { signal: until, cancel } = within(clock, ASK_MS, signal);
      try {
        const answer = await origin.probe({ url, headers, prefixBytes: 1 }, until);
        if (answer.kind === 'unchanged') return { kind: 'allowed', open: false };
        answer.body.discard();
        return { kind: 'allowed', open: answer.probed.audience === 'public' };
      } catch (error) {
        signal.throwIfAborted();
        return verdictOf(toShoalError(error));
      } finally {
        cancel();
      }
    });
}
