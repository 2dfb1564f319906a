import type { FetchReply } from '../../../core/fetch-messages.ts';
import type { HostId } from '../../../core/ids.ts';
import { JOB_BOUNDS, type JobError, type JobHost, type JobProgress } from '../../../core/jobs.ts';
import type { TargetHost } from '../../../scheduling/job-targets.ts';
import type { HostOutcome } from './follow-order.ts';

const NO_BYTES = { origin: 0, peers: 0, local: 0 };
const RESOURCE_CHARS = 300;

/** The hosts of one job as whoever works on it knows them, and which pages of them are not written down yet. */
export class HostsBook {
  readonly #rows: JobHost[];
  readonly #at = new Map<HostId, number>();
  readonly #dirty = new Set<number>();

  constructor(rows: readonly JobHost[]) {
    this.#rows = [...rows];
    for (const [index, { hostId }] of rows.entries()) this.#at.set(hostId, index);
  }

  get rows(): readonly JobHost[] {
    return this.#rows;
  }

  set(row: JobHost): void {
    const at = this.#at.get(row.hostId);
    if (at === undefined) return;
    this.#rows[at] = row;
    this.#dirty.add(Math.floor(at / JOB_BOUNDS.page));
  }

  /** A host is further. */
  heard(hostId: HostId, reply: FetchReply, items: number, durationMs: number): void {
    const row = this.get(hostId);
    if (row === undefined) return;
    const { done, failed, length, doneBytes, bytes } = reply;
    this.set({ ...row, state: 'running', items, done, failed, length, doneBytes, bytes, durationMs });
  }

  /** A host has ended. @param pinned whether it holds what it has from now on */
  ended({ hostId, ...outcome }: HostOutcome & { readonly hostId: HostId }, pinned: boolean): void {
    const row = this.get(hostId);
    if (row === undefined) return;
    const { items, done, failed, length, doneBytes, bytes, durationMs, error, errors } = outcome;
    const { error: _before, ...rest } = row;
    this.set({
      ...rest,
      ...{ items, done, failed, length, doneBytes, bytes, durationMs },
      state: outcome.state === 'failed' ? 'failed' : pinned ? 'pinned' : 'succeeded',
      failures: errors.map(({ resource, ...why }) => ({
        resource: resource.slice(0, RESOURCE_CHARS),
        ...shortError(why),
      })),
      ...(error !== undefined && { error: shortError(error) }),
    });
  }

  get(hostId: HostId): JobHost | undefined {
    return this.#rows[this.#at.get(hostId) ?? -1];
  }

  /** Pages that changed since they were last taken, each with its rows. */
  takeChanged(): [page: number, rows: readonly JobHost[]][] {
    const pages = [...this.#dirty];
    this.#dirty.clear();
    return pages.map((page) => [page, this.page(page)]);
  }

  page(page: number): readonly JobHost[] {
    return this.#rows.slice(page * JOB_BOUNDS.page, (page + 1) * JOB_BOUNDS.page);
  }

  get pages(): number {
    return Math.ceil(this.#rows.length / JOB_BOUNDS.page);
  }

  get progress(): JobProgress {
    const sum = { ...NO_PROGRESS, hosts: this.#rows.length, bytes: { ...NO_BYTES } };
    for (const { state, length, doneBytes, bytes } of this.#rows) {
      if (state === 'succeeded' || state === 'pinned') sum.succeeded += 1;
      if (state === 'failed') sum.failed += 1;
      sum.length += length;
      sum.doneBytes += doneBytes;
      sum.bytes.origin += bytes.origin;
      sum.bytes.peers += bytes.peers;
      sum.bytes.local += bytes.local;
    }
    return sum;
  }
}

/** How far a job is that has not begun. */
export const NO_PROGRESS: JobProgress = {
  hosts: 0,
  succeeded: 0,
  failed: 0,
  length: 0,
  doneBytes: 0,
  bytes: NO_BYTES,
};

/** A host that has not been told yet. */
export function waitingRow({ hostId, ip, name, zone }: TargetHost): JobHost {
  return {
    hostId,
    ip,
    ...(name !== undefined && { name }),
    ...(zone !== undefined && { zone }),
    state: 'waiting',
    ...{ items: 0, done: 0, failed: 0, length: 0, doneBytes: 0, durationMs: 0 },
    bytes: NO_BYTES,
    failures: [],
  };
}

/** An error as it is written down. */
export function shortError({ code, message }: JobError): JobError {
  return { code, message: message.slice(0, JOB_BOUNDS.errorChars) };
}
