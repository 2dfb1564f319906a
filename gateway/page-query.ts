import { z } from 'zod';
import type { RowPage } from '../core/list-page.ts';
import { GATEWAY_LIMITS } from './limits.ts';

/** A cursor is the place where a page ended; clients give back what they were given. */
const cursor = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,340}$/, 'not a cursor')
  .transform((text) => Buffer.from(text, 'base64url').toString())
  .optional()
  .describe('`next` of the page before');

/** The two parameters of every list. */
export function pageParameters(most: number = GATEWAY_LIMITS.pageRows) {
  const fallback = Math.min(most, GATEWAY_LIMITS.pageRowsDefault);
  return {
    cursor,
    limit: z.coerce.number().int().min(1).max(most).default(fallback).describe('rows at most'),
  };
}

/** The field that every list ends with. */
export const nextField = {
  next: z
    .string()
    .optional()
    .describe('cursor of the page behind; absent at the end. A page may be shorter than asked for'),
};

/** `next` as clients are given it. */
export function nextOf(next: string | undefined): { next?: string } {
  return next === undefined ? {} : { next: Buffer.from(next).toString('base64url') };
}

/** A page of rows that are all at hand, in the order of their ids. */
export function pageAt<R>(
  rows: readonly R[],
  idOf: (row: R) => string,
  { cursor: after, limit }: { readonly cursor?: string | undefined; readonly limit: number },
): RowPage<R> {
  const left = after === undefined ? rows : rows.filter((row) => idOf(row) > after);
  const taken = left.slice(0, limit);
  const last = taken[taken.length - 1];
  return { rows: taken, next: left.length > limit && last !== undefined ? idOf(last) : undefined };
}
