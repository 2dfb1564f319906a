import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** Lines of one kind in `everyMs`; what comes beyond is counted. */
const LINES = 3;
const EVERY_MS = 60_000;
/** Kinds told apart in `everyMs`: beyond, all of one message are one kind. */
const KINDS = 1024;
/** Whom a line is about, by the first of these fields that it has. */
const ABOUT = ['hostId', 'child', 'remote', 'taskId'] as const;

type Level = 'info' | 'warn' | 'error';

interface Kind {
  readonly level: Level;
  readonly message: string;
  readonly about: Readonly<Record<string, unknown>>;
  lines: number;
  more: number;
}

/**
 * A logger that nobody can flood: the same said of the same host is a few lines a minute, then one with a count of the
 * rest.
 */
export function sparingLogger(logger: Logger, clock: Pick<Clock, 'after'>): Logger {
  const kinds = new Map<string, Kind>();

  const say = (level: Level) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    const kind = kindOf(level, fields, message);
    kind.lines += 1;
    if (kind.lines <= LINES) logger[level](fields, message);
    else kind.more += 1;
  };

  function kindOf(level: Level, fields: Readonly<Record<string, unknown>>, message: string): Kind {
    const name = ABOUT.find((field) => fields[field] !== undefined);
    const isMany = kinds.size >= KINDS;
    const about = name === undefined || isMany ? {} : { [name]: fields[name] };
    const key = `${message} ${name === undefined ? '' : String(fields[name])}`;
    const shared = isMany && !kinds.has(key) ? `${message} ` : key;
    const known = kinds.get(shared);
    if (known !== undefined) return known;
    if (kinds.size === 0) clock.after(EVERY_MS, sum);
    const kind = { level, message, about, lines: 0, more: 0 };
    kinds.set(shared, kind);
    return kind;
  }

  function sum(): void {
    const over = [...kinds.values()];
    kinds.clear();
    for (const { level, message, about, more } of over) {
      if (more > 0) logger[level]({ ...about, more, seconds: EVERY_MS / 1_000 }, message);
    }
  }

  return { debug: logger.debug.bind(logger), info: say('info'), warn: say('warn'), error: say('error') };
}
