import { Cron } from 'croner';
import { ShoalError } from './errors.ts';
import type { JobSchedule } from './jobs.ts';

const FIELDS = 5;

/**
 * When a schedule fires next after a wall-clock ms, in ms; undefined where it never does.
 * @throws ERR_CONFIG_INVALID where it is no schedule
 */
export function nextFiring({ cron, timeZone = 'UTC' }: JobSchedule, afterMs: number): number | undefined {
  if (cron.trim().split(/\s+/).length !== FIELDS) {
    throw new ShoalError('ERR_CONFIG_INVALID', `not a schedule: ${JSON.stringify(cron)} has not five fields`);
  }
  try {
    return new Cron(cron, { paused: true, timezone: timeZone }).nextRun(new Date(afterMs))?.getTime();
  } catch (cause) {
    throw new ShoalError('ERR_CONFIG_INVALID', `not a schedule: ${JSON.stringify(cron)} in ${timeZone}`, {
      cause,
    });
  }
}
