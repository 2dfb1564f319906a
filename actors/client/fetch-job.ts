import type { EventData } from '../../core/events.ts';
import type { FetchItem, FetchItemState, FetchOrder, FetchReply } from '../../core/fetch-messages.ts';
import type { TaskId } from '../../core/ids.ts';

type ItemError = NonNullable<FetchItemState['error']>;

interface Row {
  /** Dropped once the item has ended: nobody asks for it again. */
  item: FetchItem | undefined;
  state: FetchItemState;
}

/** One item under way, as its download sees it. */
export interface FetchTask {
  readonly item: FetchItem;
  progress(
    told: Pick<FetchItemState, 'doneBytes' | 'bytes'> & { readonly length?: number | undefined },
  ): void;
  done(result: Pick<FetchItemState, 'bytes'> & { readonly length: number; readonly taskId?: TaskId }): void;
  failed(error: ItemError): void;
}

const ERRORS_TOLD = 10;
const NO_BYTES = { origin: 0, peers: 0, local: 0 };

/** One order on its host: its items, and how far each is. */
export class FetchJob {
  readonly jobId: string;
  readonly total: number;
  /** Monotonic ms. */
  readonly begunMs: number;
  readonly errors: EventData<'preheat.ended'>['errors'] = [];
  readonly verb: 'fetch' | 'evict';
  readonly priority: number;
  readonly lent: FetchOrder['lent'];
  /** Aborts what runs of it. */
  readonly ending = new AbortController();
  /** What came. */
  readonly taskIds = new Set<TaskId>();
  /** Until when that is kept, wall-clock ms; the latest that was said. */
  keepUntilMs: number | undefined;
  /** Until then it is kept on the disk already. */
  keptUntilMs = 0;
  /** Spare what came until it is kept. */
  readonly spared: (() => void)[] = [];
  readonly #rows: Row[] = [];
  #next = 0;
  #running = 0;
  #touchedMs: number;

  constructor({ jobId, total, verb = 'fetch', priority = 5, lent }: FetchOrder, nowMs: number) {
    this.lent = lent;
    this.jobId = jobId;
    this.total = total;
    this.verb = verb;
    this.priority = priority;
    this.begunMs = nowMs;
    this.#touchedMs = nowMs;
  }

  get known(): number {
    return this.#rows.length;
  }

  get running(): number {
    return this.#running;
  }

  get hasWaiting(): boolean {
    return this.#next < this.#rows.length && !this.ending.signal.aborted;
  }

  /** Nothing of it runs or waits. */
  get resting(): boolean {
    return this.#running === 0 && !this.hasWaiting;
  }

  /** All of it came, and has ended. */
  get ended(): boolean {
    return this.resting && this.known === this.total;
  }

  /** When somebody last asked for it, or something of it last ended, monotonic ms. */
  get touchedMs(): number {
    return this.#touchedMs;
  }

  touch(nowMs: number): void {
    this.#touchedMs = nowMs;
  }

  add(items: readonly FetchItem[]): void {
    for (const item of items) {
      this.#rows.push({ item, state: { state: 'waiting', doneBytes: 0, bytes: NO_BYTES } });
    }
  }

  /** The next item, from now on under way. */
  begin(): FetchTask | undefined {
    const row = this.#rows[this.#next];
    const item = row?.item;
    if (row === undefined || item === undefined) return undefined;
    this.#next += 1;
    this.#running += 1;
    row.state = { ...row.state, state: 'running' };
    const end = (state: FetchItemState): void => {
      row.state = state;
      row.item = undefined;
      this.#running -= 1;
    };
    return {
      item,
      progress: ({ length, doneBytes, bytes }) => {
        row.state = {
          state: 'running',
          doneBytes,
          bytes: { ...bytes },
          ...(length !== undefined && { length }),
        };
      },
      done: ({ length, bytes, taskId }) => {
        if (taskId !== undefined) this.taskIds.add(taskId);
        end({ state: 'done', length, doneBytes: length, bytes: { ...bytes } });
      },
      failed: (error) => {
        end({ ...row.state, state: 'failed', error });
        const { code, message } = error;
        if (this.errors.length < ERRORS_TOLD) this.errors.push({ resource: item.resource, code, message });
      },
    };
  }

  /** @param statesFrom the first item whose state is told; undefined: none is */
  reply(statesFrom: number | undefined, atMost: number): FetchReply {
    const sum = { done: 0, failed: 0, length: 0, doneBytes: 0, bytes: { ...NO_BYTES } };
    for (const { state } of this.#rows) {
      if (state.state === 'done') sum.done += 1;
      if (state.state === 'failed') sum.failed += 1;
      sum.length += state.length ?? 0;
      sum.doneBytes += state.doneBytes;
      sum.bytes.origin += state.bytes.origin;
      sum.bytes.peers += state.bytes.peers;
      sum.bytes.local += state.bytes.local;
    }
    const told = statesFrom === undefined ? [] : this.#rows.slice(statesFrom, statesFrom + atMost);
    return { known: this.known, ...sum, states: told.map(({ state }) => state) };
  }
}
