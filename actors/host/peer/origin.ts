import { ShoalError } from '../../../core/errors.ts';
import { portOf, type Source } from '../../../core/source.ts';
import type { FailureReason } from '../../../core/sync-messages.ts';
import type { OriginRequest } from '../../../origins/origin.ts';
import { addressRefused } from '../../../origins/origin-error.ts';
import { placeFor } from '../../../origins/place.ts';
import type { HostWorld } from '../world.ts';
import type { PeerContent } from './content.ts';

/** As whom a client lets a host read the origin. */
export interface OriginAccess {
  readonly sources: readonly Source[];
  /** Sent to the first source, and to nobody else. */
  readonly headers: Readonly<Record<string, string>>;
  readonly mayReadOrigin: boolean;
}

/** Clients whose access is kept for the case that the one in use fails; who comes later is not kept. */
const MOST_OTHERS = 16;

/** One host's way to the origin of one task: which source it may read, as whom, and whether that one refused. */
export class PeerOrigin {
  readonly #world: HostWorld;
  readonly #content: PeerContent;
  #access: OriginAccess;
  /** Of other clients, who may be let in where the one in use is not. */
  readonly #others: OriginAccess[] = [];
  #mayRead: boolean;
  /** Since when the origin is read as this client. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  #error: ShoalError | undefined;
  /** The last URL whose address was judged: every sync asks. */
  #judged: { readonly url: string; readonly allowed: boolean } | undefined;

  constructor(access: OriginAccess, world: HostWorld, content: PeerContent) {
    this.#access = access;
    this.#mayRead = access.mayReadOrigin;
    this.#world = world;
    this.#content = content;
  }

  /** What the origin said when it failed last. */
  get error(): ShoalError | undefined {
    return this.#error;
  }

  /** Takes up another client's access where there is none, else keeps it; returns whether there was none and is one now. */
  gain(access: OriginAccess): boolean {
    const [source] = access.sources;
    if (!access.mayReadOrigin || (source !== undefined && !this.#content.isReadAt(source))) return false;
    if (!this.#mayRead) return this.#use(access);
    const isKnown = [this.#access, ...this.#others].some((known) => isSame(known, access));
    if (!isKnown && this.#others.length < MOST_OTHERS) this.#others.push(access);
    return false;
  }

  #use(access: OriginAccess): true {
    this.#access = access;
    this.#mayRead = true;
    this.#sinceMs = this.#world.clock.now();
    return true;
  }

  /** The request to the origin, as whoever asked for the content. */
  readonly request = (): OriginRequest | undefined => {
    const { sources, headers } = this.#access;
    const own = sources[0];
    const source = own ?? this.#told();
    if (source === undefined || !this.#mayRead || !this.#content.isReadAt(source)) return undefined;
    return { url: source.url, headers: source === own ? headers : {} };
  };

  /** A source that others told of, and that all may read. */
  #told(): Source | undefined {
    const { sources } = this.#content;
    return sources.find((source) => !source.credentials && this.#content.isReadAt(source));
  }

  /** Where this host has read the content, or would read it. */
  get home(): string | undefined {
    const { home, digest, isBegun } = this.#content;
    const source = this.#access.sources[0] ?? this.#told();
    if (digest === undefined || home !== undefined || isBegun || source === undefined) return home;
    return placeFor(source, digest);
  }

  /**
   * The same where there must be one; a lease may have waited when the origin failed another.
   * @throws what the origin said when it failed last, ERR_SOURCE_FORBIDDEN
   */
  readonly demand = (): OriginRequest => {
    const request = this.request();
    if (request !== undefined) return request;
    throw this.#error ?? new ShoalError('ERR_SOURCE_FORBIDDEN', 'this host may not read the origin');
  };

  /** Whether this host reads the origin for the swarm. */
  get readsForAll(): boolean {
    const { originReaders, role } = this.#world;
    const request = this.request();
    if (request === undefined || !this.#allows(request.url)) return false;
    return originReaders === 'all' || role === 'seed';
  }

  /** The same where nobody leased it to this host: what is left to seeds, others read only as a client of their own. */
  get readsUnasked(): boolean {
    const request = this.request();
    const isOwn = request !== undefined && Object.keys(request.headers).length > 0;
    return this.readsForAll || (isOwn && this.#allows(request.url));
  }

  #allows(url: string): boolean {
    if (this.#judged?.url !== url) this.#judged = { url, allowed: this.#world.origin.allows(url) };
    return this.#judged.allowed;
  }

  /** A source that this host may not read is as good as a refusal by it. */
  get refusal(): ShoalError | undefined {
    const request = this.request();
    if (request === undefined || this.#allows(request.url)) return undefined;
    const url = new URL(request.url);
    return addressRefused(url.hostname, portOf(url));
  }

  /**
   * The origin refused for good, or is out of reach: this host does not read it as that client again in this task.
   * Returns whether it goes on as another one, whose credentials may be right where these were not, or whose source
   * can be reached.
   * @param begunMs when the read began: as a client before, it says nothing of this one
   */
  failed(reason: FailureReason, error: ShoalError, begunMs: number): boolean {
    this.#error = error;
    if (!reason.startsWith('origin-')) return false;
    const isChanged = reason === 'origin-changed';
    if (!isChanged && this.#mayRead && begunMs < this.#sinceMs) return true;
    this.#mayRead = false;
    if (isChanged) return false;
    const isOut = reason === 'origin-unavailable';
    const url = urlOf(this.#access);
    const at = this.#others.findIndex((other) => !isOut || urlOf(other) !== url);
    const [next] = at < 0 ? [] : this.#others.splice(at, 1);
    return next !== undefined && this.#use(next);
  }
}

function urlOf({ sources }: OriginAccess): string | undefined {
  return sources[0]?.url;
}

function isSame(a: OriginAccess, b: OriginAccess): boolean {
  return urlOf(a) === urlOf(b) && JSON.stringify(a.headers) === JSON.stringify(b.headers);
}
