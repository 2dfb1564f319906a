import type { AuditRecord } from '../core/audit.ts';
import type { Clock, Random } from '../core/clock.ts';
import { toShoalError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { Bus } from '../transport/bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';

/** What writes the audit log. */
export interface AuditWorld {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly logger: Logger;
}

/** Writes down that something was changed: into the log, as an event, and into the stream. Never throws. */
export async function writeAudit(world: AuditWorld, record: Omit<AuditRecord, 'atMs'>): Promise<void> {
  const { bus, clock, random, emit, logger } = world;
  logger.info({ ...record }, 'changed through the api');
  emit('api.changed', bus.name, record);
  const id = Buffer.from(random.bytes(12)).toString('hex');
  try {
    await bus.append(SUBJECTS.audit, { sender: bus.name, id }, { ...record, atMs: Math.floor(clock.wall()) });
  } catch (error) {
    logger.error({ code: toShoalError(error).code, ...record }, 'the audit log cannot be written');
  }
}
