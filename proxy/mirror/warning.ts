import type { ServerResponse } from 'node:http';
import { reasonWords } from '../../core/origin-reasons.ts';
import { formatDuration } from '../../core/units.ts';
import type { ContentStart } from './content.ts';
import type { Ask } from './mirror-world.ts';

/** A first byte that takes longer is told. */
const WAITED_MS = 3_000;
/** What a client keeps of all warnings of an answer is 4,096 bytes, by the OCI distribution specification. */
const TEXT_CHARS = 500;

/**
 * A `Warning` as registry clients hand it to their users: code 299, no agent, no date, a quoted string of printable ASCII.
 * @see RFC 7234 5.5, OCI distribution specification, Warnings
 */
export function warningHeader(text: string): string {
  const ascii = text.slice(0, TEXT_CHARS).replace(/[^ -~]/g, '?');
  return `299 - "${ascii.replace(/["\\]/g, '\\$&')}"`;
}

/** Adds a warning to an answer that has not begun. */
export function addWarning(response: ServerResponse, text: string): void {
  response.appendHeader('warning', warningHeader(text));
}

/** Says where the registry gave content, or a client waited; each once a pull, which asks for many contents. */
export function warnOf(
  { response, pull }: Pick<Ask, 'response' | 'pull'>,
  { from, originReason }: Pick<ContentStart, 'from' | 'originReason'>,
  waitedMs: number,
): void {
  if (from === 'upstream') warnOnce('read from the registry, past the swarm');
  else if (originReason !== undefined) warnOnce(`read from the registry: ${reasonWords(originReason)}`);
  if (waitedMs >= WAITED_MS) warnOnce(`waited ${formatDuration(waitedMs)} for the first byte`, 'waited');

  function warnOnce(text: string, kind = text): void {
    if (pull === undefined || pull.isNews(kind)) addWarning(response, text);
  }
}
