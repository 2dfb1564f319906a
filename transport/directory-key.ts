import { ShoalError } from '../core/errors.ts';

const KEY = /^[-/=\w]+(?:\.[-/=\w]+)*$/;

/** @throws ERR_BUS_MESSAGE_INVALID */
export function checkKey(key: string): string {
  if (KEY.test(key) && key.length <= 512) return key;
  throw new ShoalError(
    'ERR_BUS_MESSAGE_INVALID',
    `not a directory key: ${JSON.stringify(key.slice(0, 200))}`,
  );
}

/** What a compare-and-set answers when somebody else was first. */
export function keyConflict(key: string, revision: number, cause?: unknown): ShoalError {
  return new ShoalError('ERR_BUS_CONFLICT', `${key} is not at revision ${revision}`, {
    cause,
    details: { key },
  });
}
