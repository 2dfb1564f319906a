const HIDDEN = new Set(['level', 'time', 'pid', 'msg', 'sub', 'err']);

/** A JSON log line as a line for people: time, level, subsystem, message, fields. */
export function plainLine(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { time, level, sub, msg, err } = entry;
  const fields = Object.entries(entry)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  const where = typeof sub === 'string' ? `${sub}: ` : '';
  return `${clock} ${String(level).padEnd(5)} ${where}${String(msg ?? '')}${fields.join('')}${errorText(err)}\n`;
}

function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const { code, message } = err as { code?: unknown; message?: unknown };
  return ` (${code === undefined ? '' : `${String(code)}: `}${String(message)})`;
}
