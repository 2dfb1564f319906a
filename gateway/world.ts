import type { IncomingHttpHeaders } from 'node:http';
import type { Jobs } from '../actors/jobs/client.ts';
import type { TokenRecord } from '../core/api-token.ts';
import type { AuditRecord } from '../core/audit.ts';
import type { Clock, Random } from '../core/clock.ts';
import type { Digest } from '../core/ids.ts';
import type { PageQuery, RowPage } from '../core/list-page.ts';
import type { Logger } from '../core/logger.ts';
import type { Platform } from '../core/oci-platform.ts';
import type { ImageReference } from '../core/oci-reference.ts';
import type { HostFilter, TaskFilter } from '../core/row-filter.ts';
import type { Explanation, HostRow, SchedulerRow, TaskDetail, TaskRow } from '../core/swarm-rows.ts';
import type { ConsoleFile } from './console.ts';
import type { EventFeed } from './event-feed.ts';

/** What the gateway asks of the swarm. Each throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS where no scheduler answers. */
export interface Swarm {
  taskPage(query: PageQuery<TaskFilter>): Promise<RowPage<TaskRow>>;
  /** A task, with a page of its hosts. @throws ERR_TASK_NOT_FOUND */
  taskWith(taskId: string, query: PageQuery): Promise<{ task: TaskDetail; next: string | undefined }>;
  /** @throws ERR_TASK_NOT_FOUND */
  explain(taskId: string, hostId?: string): Promise<Explanation>;
  /** @throws ERR_TASK_NOT_FOUND, ERR_BUS_DENIED */
  removeTask(taskId: string): Promise<{ hosts: number }>;
  hostPage(query: PageQuery<HostFilter>): Promise<RowPage<HostRow>>;
}

/** One thing that an image is made of. */
export interface PartOfImage {
  readonly digest: Digest;
  readonly size: number;
}

/** All that the routes work with. */
export interface GatewayWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Name of the swarm, and version of this process. */
  readonly swarmName: string;
  readonly version: string;
  /** `connected`, as far as NATS goes. */
  readonly nats: () => string;
  readonly swarm: Swarm;
  /** Schedulers that are there, by id. */
  readonly schedulers: () => readonly SchedulerRow[];
  readonly jobs: Jobs;
  readonly events: Pick<EventFeed, 'follow'>;
  /** Whose token a request shows. @throws ERR_API_LOGIN, ERR_API_BUSY, ERR_BUS_UNAVAILABLE */
  readonly login: (headers: IncomingHttpHeaders) => Promise<TokenRecord>;
  readonly audit: (record: Omit<AuditRecord, 'atMs'>) => Promise<void>;
  /** What an image is made of, as its registry says. @throws ERR_IMAGE_*, ERR_SOURCE_* */
  readonly imageParts: (
    reference: ImageReference,
    platform: Platform | 'all',
  ) => Promise<readonly PartOfImage[]>;
  /** Base URL of a registry by its name. */
  readonly registryBase: (name: string) => string;
  /** Whether Harbor has to show a token. */
  readonly harborLogin: 'token' | 'none';
  /** The web app; its first page is `index.html`. */
  readonly console: ReadonlyMap<string, ConsoleFile>;
  /** Counts an answer of a route, by its path as it is written in the document. */
  readonly onAnswered: (route: string, status: number) => void;
}
