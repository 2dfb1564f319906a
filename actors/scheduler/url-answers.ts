import { ShoalError } from '../../core/errors.ts';
import {
  type HostId,
  isHostId,
  isResourceId,
  partitionOf,
  type ResourceId,
  type TaskId,
} from '../../core/ids.ts';
import type { OriginTold, ResolveReply, ResolveRequest } from '../../core/resolve-messages.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { probedPieces } from './claimed-pieces.ts';
import type { ResourceTable } from './resource-table.ts';
import type { TaskTable } from './task-table.ts';
import type { GroupWorld } from './world.ts';

/** Why a task is not opened for the answer of an origin. */
const UNOPENED: ReadonlySet<string> = new Set(['ERR_SCHED_BUSY', 'ERR_BUS_UNAVAILABLE']);

interface UrlAnswersOptions {
  readonly world: GroupWorld;
  readonly resources: ResourceTable;
  readonly tasks: TaskTable;
  /** Whether a partition may be granted from here now. */
  readonly owns: (partition: number) => boolean;
}

/** What a scheduler answers those who ask what a URL points to, and what it makes of the answers of origins. */
export class UrlAnswers {
  readonly #options: UrlAnswersOptions;

  constructor(options: UrlAnswersOptions) {
    this.#options = options;
  }

  /** @throws ERR_BUS_MESSAGE_INVALID, ERR_BUS_UNAVAILABLE where the partition is another's */
  resolve(
    tokens: { readonly partition: string; readonly resourceId: string; readonly hostId: string },
    request: ResolveRequest,
  ): ResolveReply | Promise<ResolveReply> {
    const { tasks } = this.#options;
    const hostId = asHost(tokens.hostId);
    const { resourceId } = tokens;
    if (!isResourceId(resourceId) || String(partitionOf(resourceId)) !== tokens.partition) {
      throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the resource id or its partition is not valid');
    }
    const partition = partitionOf(resourceId);
    const answer = () => {
      if (!this.#options.owns(partition)) throw unowned();
      return this.#answer(resourceId, hostId, request);
    };
    // What the log tells need not be read again to be known.
    const reading = request.outcome === undefined ? tasks.reading(partition) : undefined;
    return reading === undefined ? answer() : reading.then(answer);
  }

  #answer(resourceId: ResourceId, hostId: HostId, request: ResolveRequest): ResolveReply {
    const { world, resources, tasks } = this.#options;
    const { clock } = world;
    const resource = resources.open(resourceId, hostId);
    const logged = resource.isAnswered ? undefined : tasks.urls.get(resourceId);
    if (logged !== undefined) resource.recall(logged, clock.now(), clock.wall());
    const wasAsked = resource.isAsking(hostId, request.ask);
    const reply = resource.resolve(hostId, request, clock.now(), clock.wall());
    if (request.outcome?.kind === 'found') {
      const { taskId, probed, readingBytes } = request.outcome;
      const source = { url: request.url, credentials: request.credentials };
      this.#tell(taskId, { hostId, source, probed, readingBytes, wasAsked });
    }
    return reply;
  }

  /** The owner of the task need not be the URL's: what the origin said goes there before the host syncs. */
  #tell(taskId: TaskId, told: OriginTold): void {
    const { world, owns } = this.#options;
    const partition = partitionOf(taskId);
    if (owns(partition)) return this.told(taskId, told);
    world.bus.publish(SUBJECTS.originTold, { partition: String(partition), taskId }, told);
  }

  /** What the origin said is told also where the host has too much at work: it hears so when it syncs. */
  told(taskId: TaskId, { hostId, source, probed, readingBytes, wasAsked }: OriginTold): void {
    const task = this.#tryOpen(taskId, hostId, probedPieces(probed));
    if (task === undefined) return;
    const { actor, ready } = task;
    const tell = () => actor.resolved(hostId, source, probed, readingBytes, wasAsked);
    if (ready !== undefined) void ready.then(tell);
    else tell();
  }

  #tryOpen(taskId: TaskId, hostId: HostId, pieces: number) {
    try {
      return this.#options.tasks.open(taskId, hostId, pieces);
    } catch (error) {
      if (error instanceof ShoalError && UNOPENED.has(error.code)) return undefined;
      throw error;
    }
  }
}

/** The id of a host that a subject names. @throws ERR_BUS_MESSAGE_INVALID */
export function asHost(token: string): HostId {
  if (isHostId(token)) return token;
  throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the subject names no host');
}

/** What a host is answered in a partition that is not granted from here. */
export function unowned(): ShoalError {
  return new ShoalError('ERR_BUS_UNAVAILABLE', 'this scheduler cannot tell that it still owns the partition');
}
