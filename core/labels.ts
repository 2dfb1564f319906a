import { z } from 'zod';
import { ShoalError } from './errors.ts';

/** Labels of one host at most. */
export const MOST_LABELS = 32;

const KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?)?$/;

/** What a host is labelled with, as it says itself every second. */
export const labelsSchema = z
  .record(
    z.string().regex(KEY, 'not the key of a label'),
    z.string().regex(VALUE, 'not the value of a label'),
  )
  .refine((labels) => Object.keys(labels).length <= MOST_LABELS, 'too many labels');

/** `disk=ssd` as key and value. @throws ERR_CONFIG_INVALID */
export function parseLabel(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  const key = text.slice(0, Math.max(0, at)).trim();
  const value = text.slice(at + 1).trim();
  if (KEY.test(key) && VALUE.test(value)) return [key, value];
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    `not a label: ${JSON.stringify(text.slice(0, 140))}; write it as KEY=VALUE, of letters, digits, . _ / and -`,
  );
}
