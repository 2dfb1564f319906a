import { ShoalError } from '../core/errors.ts';

const SECRET =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|headers|password|pass|token|creds|credential)$/i;
const USER_INFO = /\/\/[^/@\s]*@/g;
const DEPTH = 5;

/** Text without the user-info of URLs in it. */
export function redactedText(text: string): string {
  return text.includes('@') ? text.replace(USER_INFO, '//') : text;
}

/** Fields fit to log: secrets by name and user-info in URLs are taken out, errors become plain objects. */
export function redacted(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return clean(fields, 0) as Record<string, unknown>;
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactedText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH) return '[deep]';
  if (value instanceof Error) return cleanError(value, depth);
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => clean(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      SECRET.test(name) ? '[redacted]' : clean(item, depth + 1),
    ]),
  );
}

function cleanError(error: Error, depth: number): unknown {
  const code = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    ...(code !== undefined && { code }),
    message: redactedText(error.message),
    ...(error instanceof ShoalError && Object.keys(error.details).length > 0
      ? { details: clean(error.details, depth + 1) }
      : {}),
    ...(error.stack !== undefined && { stack: redactedText(error.stack) }),
    ...(error.cause !== undefined && { cause: clean(error.cause, depth + 1) }),
  };
}
