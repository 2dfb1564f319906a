import { credentialOf } from '../../core/claim.ts';
import type { DownloadRequest } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import type { FetchItem, FetchOrder } from '../../core/fetch-messages.ts';
import type { HostId } from '../../core/ids.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { Bus, Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';

type Headers = Readonly<Record<string, string>>;

const KEPT = 64;

/** Headers that were lent to this host, each for one job: in memory alone. */
export class LentHeaders {
  readonly #kept = new RecentMap<string, Headers>(KEPT);

  serve(bus: Bus, hostId: HostId): Subscription {
    return bus.serve(SUBJECTS.jobHeaders, { hostId }, ({ jobId, headers }) => {
      this.#kept.set(jobId, headers);
      return {};
    });
  }

  forget(jobId: string): void {
    this.#kept.delete(jobId);
  }

  /** What a registry is shown for the job; undefined where nothing was lent for it. */
  authorizationOf(jobId: string): string | undefined {
    const headers = Object.entries(this.#kept.get(jobId) ?? {});
    return headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  }

  /** What this host asks for where an order is for an item. @throws ERR_JOB_HEADERS_LOST */
  requestOf(item: FetchItem, jobId: string, lent: FetchOrder['lent']): DownloadRequest {
    const plain = { ...item, headers: {}, noOrigin: false, maxStaleMs: 0 };
    if (lent === 'headers') {
      const headers = this.#kept.get(jobId);
      if (headers !== undefined) return { ...plain, headers: { ...headers } };
      throw new ShoalError('ERR_JOB_HEADERS_LOST', 'the headers of the job are lost');
    }
    // What a URL is without a digest, each credential is told for itself.
    if (lent === undefined || item.digest === undefined) return plain;
    // Whoever may have others fetch it was let in with the headers, by the host that read it.
    const credential = credentialOf({ authorization: `job ${jobId}` });
    const verdict = { kind: 'allowed' as const, open: false };
    return {
      ...plain,
      noOrigin: true,
      claim: { content: item.resource, credential, question: { kind: 'answered', verdict } },
    };
  }
}
