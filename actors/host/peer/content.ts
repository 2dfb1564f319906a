import type { PieceHash } from '../../../core/hash-page.ts';
import { type Digest, digestOfTask, type TaskId } from '../../../core/ids.ts';
import { pieceCount, pieceLengthFor } from '../../../core/piece.ts';
import type { Probed, TaskAudience } from '../../../core/probed.ts';
import type { Source, Validator } from '../../../core/source.ts';
import type { HaveReply } from '../../../dataplane/data-plane.ts';
import { isReadAt } from '../../../origins/place.ts';
import type { Store, StoredTask } from '../../../storage/store.ts';

/** What this host knows of a task's content: how it is cut, which hashes its pieces must have, where it is kept. */
export class PeerContent {
  readonly taskId: TaskId;
  readonly digest: Digest | undefined;
  sources: Source[];
  audience: TaskAudience = 'public';
  etag: string | undefined;
  lastModified: string | undefined;
  mediaType: string | undefined;
  encoding: string | undefined;
  /** Whether origins give ranges with a strong validator. */
  ranges = true;
  length: number | undefined;
  pieceLength: number | undefined;
  stored: StoredTask | undefined;
  readonly #store: Store;
  readonly #expected = new Map<number, Uint8Array>();
  /** Pieces whose hash is only what some host said. */
  readonly #supposed = new Set<number>();
  #isMisled = false;
  #home: string | undefined;
  readonly #homeListeners = new Set<() => void>();
  #unpin: (() => void) | undefined;
  readonly #life: string;
  #drops = 0;

  constructor(store: Store, taskId: TaskId, sources: readonly Source[], life: string) {
    this.#life = life;
    this.#store = store;
    this.taskId = taskId;
    this.digest = digestOfTask(taskId);
    this.sources = [...sources];
  }

  /** Takes up what an earlier life left on disk. */
  async reopen(): Promise<void> {
    const stored = await this.#store.open(this.taskId);
    if (stored === undefined) return;
    this.#adopt(stored);
    this.audience = stored.record.audience;
    this.#settle(stored.record.home);
    this.etag ??= stored.record.etag;
    this.mediaType ??= stored.record.mediaType;
    this.encoding ??= stored.record.encoding;
    for (const source of stored.record.sources) this.addSource(source);
  }

  addSource(source: Source): void {
    if (!this.sources.some(({ url }) => url === source.url)) this.sources.push(source);
  }

  /** The one place that all of it is read at; of content with a digest, once it is known. */
  get home(): string | undefined {
    return this.#home;
  }

  /** Calls back when it is known where the content is read, and at each change of that; returns how to end it. */
  onHome(listener: () => void): () => void {
    this.#homeListeners.add(listener);
    return () => this.#homeListeners.delete(listener);
  }

  /**
   * Whether what is read at a source may be put to what is here: all that a client is let in to by one registry is to be
   * what that one gave. A task without a digest is one URL's anyway.
   */
  isReadAt(source: Source): boolean {
    const { taskId, digest } = this;
    if (digest === undefined || (this.#home === undefined && !this.isBegun)) return true;
    return isReadAt({ taskId, home: this.#home }, source);
  }

  /** Whether any of it is here. How long it is may be known before, and where it is read not yet. */
  get isBegun(): boolean {
    return this.stored !== undefined && (this.stored.complete || this.stored.have.count > 0);
  }

  /** Takes the scheduler's word on where the content is read; returns whether what is here was read elsewhere. */
  async learnHome(home: string | undefined): Promise<boolean> {
    if (this.digest === undefined || home === undefined || home === this.#home) return false;
    if (this.stored?.complete) return false;
    if (this.stored !== undefined && this.stored.have.count > 0) return true;
    this.#settle(home);
    await this.stored?.amend({ home });
    return false;
  }

  /** Whether what a host read there may be put to what is here; the first that tells settles where that is. */
  isOf(home: string | undefined): boolean {
    if (this.digest === undefined) return true;
    if (this.stored === undefined && this.#home === undefined) this.#settle(home);
    return home !== undefined && home === this.#home;
  }

  #settle(home: string | undefined): void {
    if (this.digest === undefined || home === undefined || home === this.#home) return;
    this.#home = home;
    for (const listener of this.#homeListeners) listener();
  }

  /** What the first answer of an origin told. */
  async learnProbed(probed: Probed, home?: string): Promise<void> {
    this.#settle(home);
    this.audience = probed.audience;
    this.etag = probed.etag;
    this.lastModified = probed.lastModified;
    this.ranges = probed.ranges;
    this.mediaType = probed.mediaType;
    this.encoding = probed.encoding;
    await this.learn(probed.length, pieceLengthFor(probed.length));
  }

  /** What a host that holds some of it says, where no scheduler does. @throws ERR_STORE_FULL, ERR_STORE_IO */
  async learnHeld({ audience, length, pieceLength, home }: HaveReply): Promise<void> {
    if (this.stored === undefined) {
      this.audience = audience;
      this.#settle(home);
    }
    await this.learn(length, pieceLength);
  }

  /** What an origin says of content that is known already, beside what was known. */
  async amendProbed({ ranges, mediaType, encoding }: Probed): Promise<void> {
    this.ranges = ranges;
    const isNew = this.mediaType === undefined && mediaType !== undefined;
    if (!isNew && (this.encoding !== undefined || encoding === undefined)) return;
    this.mediaType ??= mediaType;
    this.encoding ??= encoding;
    await this.stored?.amend({ mediaType: this.mediaType, encoding: this.encoding });
  }

  /** Length and piece length, from the scheduler or an origin. @throws ERR_STORE_FULL, ERR_STORE_IO */
  async learn(length: number | undefined, pieceLength: number): Promise<void> {
    if (this.stored === undefined) {
      const { taskId, audience, home, sources, etag, mediaType, encoding } = this;
      const record = { taskId, length, pieceLength, audience, home, sources, etag, mediaType, encoding };
      this.#adopt(await this.#store.create(record));
    }
    if (length !== undefined && this.length === undefined) {
      await this.stored?.setLength(length);
      this.length = length;
    }
  }

  #adopt(stored: StoredTask): void {
    this.stored = stored;
    this.length = stored.record.length;
    this.pieceLength = stored.record.pieceLength;
    this.#unpin ??= stored.pin();
  }

  /** What an origin must say of each part; a digest is proof enough, whatever the nodes of a CDN make of validators. */
  get expectation(): Validator & { readonly length: number | undefined } {
    const { digest, etag, lastModified, length } = this;
    return digest === undefined ? { etag, lastModified, length } : { length };
  }

  /** Number of pieces; undefined while the length is unknown. */
  get pieces(): number | undefined {
    if (this.length === undefined || this.pieceLength === undefined) return undefined;
    return pieceCount({ length: this.length, pieceLength: this.pieceLength });
  }

  get complete(): boolean {
    const { pieces, stored } = this;
    return pieces !== undefined && stored !== undefined && stored.have.count >= pieces;
  }

  /** Whether all the world may have it; false while nobody has said so. */
  get isPublic(): boolean {
    return this.stored !== undefined && this.audience === 'public';
  }

  has(piece: number): boolean {
    return this.stored?.have.has(piece) ?? false;
  }

  hasRun(first: number, count: number): boolean {
    return this.stored?.have.hasRun(first, count) ?? false;
  }

  /** Bytes of the pieces that are there. */
  get storedBytes(): number {
    const { stored, length, pieceLength } = this;
    if (stored === undefined || pieceLength === undefined) return 0;
    const bytes = stored.have.count * pieceLength;
    const last = (this.pieces ?? 0) - 1;
    if (length === undefined || last < 0 || !stored.have.has(last)) return bytes;
    return bytes - (pieceLength * (last + 1) - length);
  }

  expected(piece: number): Uint8Array | undefined {
    return this.#expected.get(piece);
  }

  expect(piece: number, hash: Uint8Array): void {
    this.#expected.set(piece, hash);
    this.#supposed.delete(piece);
  }

  /** Takes the word of a host that nobody vouches for, where the whole is compared in the end. */
  suppose(piece: number, hash: Uint8Array): void {
    if (this.#isMisled || this.#expected.has(piece)) return;
    this.#expected.set(piece, hash);
    this.#supposed.add(piece);
  }

  /** The whole is wrong: what rests on such a word is given up, and no more of it is taken. Returns the pieces held. */
  refuseSupposed(): number[] {
    this.#isMisled = true;
    const held = [...this.#supposed].filter((piece) => this.has(piece));
    for (const piece of this.#supposed) this.#expected.delete(piece);
    this.#supposed.clear();
    return held;
  }

  /**
   * Takes hashes from the scheduler; a withdrawn one is forgotten. Returns the pieces held here that have another
   * hash, which must be dropped.
   */
  expectAll(hashes: readonly PieceHash[]): number[] {
    const wrong: number[] = [];
    // Only the last word on a piece counts: a lie may stand before it.
    const last = new Map(hashes.map(({ piece, hash }) => [piece, hash]));
    for (const [piece, hash] of last) {
      const withdrawn = hash.every((byte) => byte === 0);
      this.#supposed.delete(piece);
      if (withdrawn) this.#expected.delete(piece);
      else this.#expected.set(piece, hash);
      // What agrees with its digest as a whole is right, whatever is said of a part.
      if (this.digest !== undefined && this.stored?.complete) continue;
      const held = this.stored?.hash(piece);
      if (held === undefined || !this.has(piece)) continue;
      if (withdrawn || Buffer.compare(held, hash) !== 0) wrong.push(piece);
    }
    return wrong;
  }

  /** Another one than before: pieces that were there are not, or come with other bytes. */
  get revision(): string {
    return `${this.#life}.${this.#drops}`;
  }

  /** Takes pieces back: they proved wrong. */
  async drop(pieces: readonly number[]): Promise<void> {
    this.#drops += 1;
    await this.stored?.drop(pieces);
  }

  /** Throws everything away, on disk too: the claim of its source proved wrong. */
  async discard(): Promise<void> {
    this.#drops += 1;
    this.#expected.clear();
    this.#supposed.clear();
    this.release();
    this.stored = undefined;
    this.length = undefined;
    this.pieceLength = undefined;
    this.#home = undefined;
    await this.#store.remove(this.taskId);
  }

  /** Lets the content be evicted. */
  release(): void {
    this.#unpin?.();
    this.#unpin = undefined;
  }
}
