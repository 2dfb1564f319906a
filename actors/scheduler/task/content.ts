import { digestOfTask, type TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { LogCreated } from '../../../core/log-messages.ts';
import { pieceCount } from '../../../core/piece.ts';
import type { Probed, TaskAudience } from '../../../core/probed.ts';
import type { Source } from '../../../core/source.ts';
import { isOpenPlace, placeFor } from '../../../origins/place.ts';

const MOST_SOURCES = 16;
const MOST_BANNED = 64;
/** Content that contradicted its digest so often is not read again, whoever seems to be at fault. */
const MOST_DOUBTS = 4;
/** All their URLs together: each set of leases carries them, and each row of a list. */
const MOST_SOURCE_CHARS = 16 * 1024;

/** What a scheduler knows of a task's content: where it is, who may have it, how long it is and how it is cut. */
export class TaskContent {
  readonly taskId: TaskId;
  #audience: TaskAudience = 'public';
  /** A host holds it as content of its source: no other source makes it everybody's. */
  #isPrivate = false;
  #sources: Source[] = [];
  /** By their URLs. */
  readonly #banned = new Map<string, Source>();
  /** How often the whole contradicted the digest, and whether all of it was read again for that. */
  #doubts = 0;
  #wasReadAgain = false;
  #home: string | undefined;
  #probed: Probed | undefined;
  #length: number | undefined;
  #pieceLength: number | undefined;

  constructor(taskId: TaskId) {
    this.taskId = taskId;
  }

  get audience(): TaskAudience {
    return this.#isPrivate ? 'source' : this.#audience;
  }

  /** Takes what the log says. */
  set audience(audience: TaskAudience) {
    this.#audience = audience;
  }

  /** Takes what a host says of what it holds. */
  heldFor(audience: TaskAudience): void {
    this.#isPrivate ||= audience === 'source';
  }

  /** The one place that the content is read at, and that all hashes are from; of content with a digest. */
  get home(): string | undefined {
    return this.#home;
  }

  /** Takes what the log says. */
  set home(home: string | undefined) {
    this.#home = home;
  }

  /**
   * Whether a host that reads, or has read, the content there takes part in this claim.
   * @param maySettle whether this host reads or holds some: its word settles where all is from, while nobody's has
   */
  isOf(home: string | undefined, maySettle: boolean): boolean {
    if (!this.hasDigest) return true;
    if (maySettle && home !== undefined && !this.#bannedAt(home)) this.#home ??= home;
    return home === this.#home;
  }

  #isAt(source: Source, place: string | undefined): boolean {
    const digest = digestOfTask(this.taskId);
    return digest !== undefined && URL.canParse(source.url) && placeFor(source, digest) === place;
  }

  #bannedAt(place: string): boolean {
    return !isOpenPlace(place) && [...this.#banned.values()].some((source) => this.#isAt(source, place));
  }

  get sources(): readonly Source[] {
    return this.#sources;
  }

  /** Whether anybody may read it at a source, without credentials. */
  get isOpen(): boolean {
    return this.audience === 'public' && this.#sources.some(({ credentials }) => !credentials);
  }

  /** Scheme, host and port of the first source. */
  get origin(): string | undefined {
    const [source] = this.#sources;
    return source && URL.canParse(source.url) ? new URL(source.url).origin : undefined;
  }

  /** What the first host that asked an origin learnt. */
  get probed(): Probed | undefined {
    return this.#probed;
  }

  get length(): number | undefined {
    return this.#length;
  }

  get pieceLength(): number | undefined {
    return this.#pieceLength;
  }

  /** Number of pieces; undefined while the length is unknown. */
  get pieces(): number | undefined {
    const [length, pieceLength] = [this.#length, this.#pieceLength];
    return length === undefined || pieceLength === undefined
      ? undefined
      : pieceCount({ length, pieceLength });
  }

  addSource(source: Source): void {
    if (this.#banned.has(source.url) || this.#sources.length >= MOST_SOURCES) return;
    if (this.#sources.some(({ url }) => url === source.url)) return;
    const chars = this.#sources.reduce((sum, { url }) => sum + url.length, source.url.length);
    if (chars <= MOST_SOURCE_CHARS) this.#sources.push(source);
  }

  /** Takes an origin's answer: the first, or that it gives no ranges after all; returns what is new. */
  learn(probed: Probed): 'all' | 'no-ranges' | 'nothing' {
    if (this.#probed !== undefined) {
      if (probed.ranges || !this.#probed.ranges) return 'nothing';
      this.#probed = { ...this.#probed, ranges: false };
      return 'no-ranges';
    }
    this.#probed = probed;
    this.audience = probed.audience;
    return 'all';
  }

  /** Takes length and piece length from whoever tells them; returns what of them was not known. */
  setGeometry(length: number | undefined, pieceLength: number): 'all' | 'length' | undefined {
    // No claim of a host may make this scheduler keep account of more pieces than there can be.
    if (length !== undefined && length > pieceLength * LIMITS.piecesPerTask) return undefined;
    if (this.#pieceLength === undefined) {
      this.#pieceLength = pieceLength;
      this.#length = length;
      return 'all';
    }
    if (this.#length !== undefined || length === undefined || pieceLength !== this.#pieceLength)
      return undefined;
    this.#length = length;
    return 'length';
  }

  /** Whether the whole is to be compared with a digest. */
  get hasDigest(): boolean {
    return digestOfTask(this.taskId) !== undefined;
  }

  /**
   * The whole contradicts the digest, by the source's fault as it seems or by a host's. Returns what is to be done: one
   * wrong read is read again, and a source is not asked for ever.
   */
  doubt(seemsSource: boolean): 'nothing' | 'read-again' | 'ban' {
    this.#doubts += 1;
    if (!seemsSource) return this.#doubts < MOST_DOUBTS ? 'nothing' : 'ban';
    if (this.#wasReadAgain) return 'ban';
    this.#wasReadAgain = true;
    return 'read-again';
  }

  /** Forgets what was learnt of the first source. */
  forget(): void {
    this.#home = undefined;
    this.#probed = undefined;
    this.#length = undefined;
    this.#pieceLength = undefined;
  }

  /** Bans the source that was read and forgets what was learnt of it; returns it. */
  dropSource(): Source | undefined {
    const at = this.#sources.findIndex((source) => this.#isAt(source, this.#home));
    const [source] = this.#sources.splice(Math.max(0, at), 1);
    if (source) this.#ban(source);
    this.#acquit();
    this.forget();
    return source;
  }

  #ban(source: Source): void {
    this.#banned.set(source.url, source);
    const [oldest] = this.#banned.size > MOST_BANNED ? this.#banned.keys() : [];
    if (oldest !== undefined) this.#banned.delete(oldest);
  }

  /** Another download begins: nothing that a source gave before is held against it. */
  forgive(): void {
    this.#banned.clear();
    this.#acquit();
  }

  #acquit(): void {
    this.#doubts = 0;
    this.#wasReadAgain = false;
  }

  /** The task as the log keeps it. */
  record(): Omit<LogCreated, 'epoch' | 'atMs'> {
    const { taskId, length, pieceLength, audience, home, probed } = this;
    return { taskId, length, pieceLength, audience, home, probed, sources: this.#sources };
  }
}
