import { type ShoalError, toShoalError } from '../core/errors.ts';
import { redactUrl } from '../core/source.ts';

/** An error for a person: what happened, why, and what to do. */
export function errorText(error: unknown): string {
  const shoal = toShoalError(error);
  const lines = [`error: ${clean(shoal.message)} (${shoal.code})`];
  const why = causes(shoal);
  if (why !== '') lines.push(`  why: ${why}`);
  lines.push(`  fix: ${shoal.fix}`);
  return `${lines.join('\n')}\n`;
}

/** An error for a program, one line of JSON. */
export function errorJson(error: unknown): string {
  const { code, message, retryable, fix } = toShoalError(error);
  return `${JSON.stringify({ error: { code, message: clean(message), retryable, fix } })}\n`;
}

function causes(error: ShoalError): string {
  const parts: string[] = [];
  for (let cause = error.cause; cause instanceof Error && parts.length < 3; cause = cause.cause) {
    const text = clean(cause.message);
    if (text !== '' && !error.message.includes(cause.message)) parts.push(text);
  }
  const { status } = error.details;
  if (parts.length === 0 && typeof status === 'number' && !error.message.includes(String(status)))
    parts.push(`the origin answered ${status}`);
  return parts.join('; ');
}

function clean(text: string): string {
  return text.split('\n').map(redactUrl).join('\n    ');
}
