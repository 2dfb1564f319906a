import type { EventType } from '../../../core/events.ts';
import type { JobRecord } from '../../../core/jobs.ts';
import type { World } from '../../world.ts';

type JobEventType = Extract<EventType, `job.${string}`>;

/** Tells whoever listens how a job is. */
export function tellJob(
  { emit, log }: Pick<World, 'emit' | 'log'>,
  type: JobEventType,
  job: JobRecord,
): void {
  const { id, kind, progress, error } = job;
  emit(type, id, { jobId: id, kind, progress, ...(error !== undefined && { error }) });
  if (type !== 'job.progressed') log.info({ jobId: id, kind, state: job.state, code: error?.code }, type);
}
