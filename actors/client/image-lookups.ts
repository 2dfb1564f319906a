import { ShoalError } from '../../core/errors.ts';
import {
  type FetchItem,
  type LookUp,
  type LookUpReply,
  ORDER_ITEMS,
  pageOf,
} from '../../core/fetch-messages.ts';
import { parseJobWord } from '../../core/job-words.ts';
import { machinePlatform, type Platform, parsePlatform } from '../../core/oci-platform.ts';
import { formatImageReference, parseImageReference } from '../../core/oci-reference.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { RegistryClient } from '../../origins/registry/registry.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { HostWorld } from '../host/world.ts';
import { fittingTags, type ImageResolver, nameByDigest, resolveImage } from './resolve-image.ts';

/** What an image is looked up with. */
export interface LookUpParts {
  readonly world: Pick<HostWorld, 'bus' | 'hostId' | 'clock' | 'log'>;
  readonly registry: Pick<RegistryClient, 'ask'>;
  /** Base URL of a registry by its name. */
  readonly baseOf: (name: string) => string;
  /** The login that came with a job, where one did. */
  readonly authorizationOf: (jobId: string) => string | undefined;
}

/** Images whose parts are remembered for the pages that are asked for next. */
const KEPT = 64;
const KEPT_MS = 60_000;
const LOOK_UP_MS = 30_000;
/** Images by tag that are asked for at once. */
const TAGS_AT_ONCE = 8;

/** Looks images up at their registries, for whoever gives hosts work. */
export class ImageLookUps {
  readonly #parts: LookUpParts;
  readonly #known = new RecentMap<
    string,
    { readonly parts: Promise<readonly FetchItem[]>; readonly atMs: number }
  >(KEPT);

  constructor(parts: LookUpParts) {
    this.#parts = parts;
  }

  serve(): Subscription {
    const { bus, hostId } = this.#parts.world;
    return bus.serve(SUBJECTS.lookUp, { hostId }, (asked) => this.answer(asked));
  }

  /** @throws what `resolveImage` and `fittingTags` throw */
  async answer(asked: LookUp): Promise<LookUpReply> {
    if (asked.op === 'names') {
      return { images: await this.#inTime((signal) => this.#names(asked, signal)), total: 0, items: [] };
    }
    const parts = await this.#partsOf(asked);
    return { images: [], total: parts.length, items: pageOf(parts, asked.from) };
  }

  async #names(asked: LookUp, signal: AbortSignal): Promise<string[]> {
    const resolver = this.#resolver(asked);
    const word = parseJobWord(asked.image);
    if (word.kind === 'image')
      return [formatImageReference(await nameByDigest(resolver, word.reference, signal))];
    if (word.kind === 'resource') throw new ShoalError('ERR_IMAGE_REFERENCE', 'not an image');
    const tags = await fittingTags(resolver, word.reference, word.pattern, signal);
    const images: string[] = [];
    for (let from = 0; from < tags.length; from += TAGS_AT_ONCE) {
      const found = await Promise.all(
        tags
          .slice(from, from + TAGS_AT_ONCE)
          .map((tag) => nameByDigest(resolver, { ...word.reference, tag, digest: undefined }, signal)),
      );
      images.push(...found.map(formatImageReference));
    }
    return images;
  }

  #partsOf(asked: LookUp): Promise<readonly FetchItem[]> {
    const { clock } = this.#parts.world;
    const key = `${asked.jobId} ${asked.image} ${asked.platform ?? ''}`;
    const known = this.#known.get(key);
    if (known !== undefined && clock.now() - known.atMs < KEPT_MS) return known.parts;
    const parts = this.#inTime((signal) => this.#resolve(asked, signal));
    this.#known.set(key, { parts, atMs: clock.now() });
    parts.catch(() => this.#known.delete(key));
    return parts;
  }

  async #resolve(asked: LookUp, signal: AbortSignal): Promise<readonly FetchItem[]> {
    const reference = parseImageReference(asked.image);
    const found = await resolveImage(this.#resolver(asked), reference, signal);
    if (found.length <= ORDER_ITEMS) return found.map(({ resource, digest }) => ({ resource, digest }));
    throw new ShoalError('ERR_IMAGE_MANIFEST', `${asked.image} has more than ${ORDER_ITEMS} parts`);
  }

  /** @throws ERR_TIMEOUT */
  async #inTime<R>(run: (signal: AbortSignal) => Promise<R>): Promise<R> {
    const late = new AbortController();
    const cancel = this.#parts.world.clock.after(LOOK_UP_MS, () =>
      late.abort(new ShoalError('ERR_TIMEOUT', 'the registry did not answer in time')),
    );
    try {
      return await run(late.signal);
    } finally {
      cancel();
    }
  }

  #resolver({ jobId, platform }: LookUp): ImageResolver {
    const { registry, baseOf, authorizationOf } = this.#parts;
    return { registry, baseOf, platform: platformOf(platform), authorization: authorizationOf(jobId) };
  }
}

/** @throws ERR_CONFIG_INVALID */
function platformOf(text: string | undefined): Platform | 'all' {
  if (text === 'all') return text;
  return text === undefined ? machinePlatform(process.platform, process.arch) : parsePlatform(text);
}
