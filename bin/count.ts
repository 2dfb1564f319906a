import { ShoalError } from '../core/errors.ts';

/** A whole number as a flag gives it. @throws ERR_CONFIG_INVALID */
export function parseCount(flag: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new ShoalError('ERR_CONFIG_INVALID', `${flag}: write it as a whole number`);
}
