import { pino } from 'pino';
import type { Logger } from '../core/logger.ts';
import type { LogConfig } from './config.ts';
import { plainLine } from './plain-log.ts';
import { redacted, redactedText } from './redact.ts';

/** A logger that makes children, one a subsystem. */
export interface RootLogger extends Logger {
  /** A logger whose lines carry these fields as well. */
  child(fields: Readonly<Record<string, unknown>>): RootLogger;
}

/** Where log lines go. */
interface Sink {
  write(line: string): void;
}

/** The log of a process: JSON or plain lines on standard error, without secrets. */
export function openLog(config: LogConfig, sink?: Sink): RootLogger {
  // Lines are few, and the last ones before a crash are the ones that matter: written at once.
  const out = sink ?? pino.destination({ fd: 2, sync: true });
  const target = config.format === 'plain' ? { write: (line: string) => out.write(plainLine(line)) } : out;
  const options = {
    level: config.level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    // Errors come as plain objects already.
    serializers: { err: (error: unknown) => error },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return wrap(pino(options, target));
}

function wrap(inner: pino.Logger): RootLogger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => {
    return (fields: Readonly<Record<string, unknown>>, message: string): void => {
      if (inner.isLevelEnabled(level)) inner[level](redacted(fields), redactedText(message));
    };
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(inner.child(redacted(fields))),
  };
}
