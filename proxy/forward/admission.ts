import type { Access } from '../../actors/client/access.ts';
import { type AskWorld, askSource } from '../../actors/client/ask-source.ts';
import { credentialOf } from '../../actors/client/audience.ts';
import type { AdmitFacts } from '../../core/download.ts';
import { canonicalUrl } from '../../core/source.ts';
import { asksWithCredentials } from '../../origins/request-headers.ts';

/** What asking origins about clients needs. */
export interface AdmissionWorld extends AskWorld {
  readonly access: Access;
}

const ASK_MS = 8_000;

/**
 * The check of a client that asks one source for content under its digest, or by a signed URL: its own source lets it
 * in, now or a short while ago.
 */
export function admission(
  world: AdmissionWorld,
  request: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): (facts: AdmitFacts) => Promise<void> {
  const { url, headers } = request;
  const isSigned = asksWithCredentials(new URL(url), {});
  // What signs a URL is a credential like any other.
  const credential = isSigned ? `${credentialOf(headers) ?? ''} ${url}` : credentialOf(headers);
  return ({ wasPublic }) =>
    world.access.prove({ content: canonicalUrl(url), credential, wasOpen: wasPublic }, () =>
      askSource(world, { url, headers }, ASK_MS, signal),
    );
}
