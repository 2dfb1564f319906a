import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { ShoalError } from '../../core/errors.ts';

/** A regular expression that is tested in time linear in the text, whatever the expression. */
export interface Pattern {
  test(text: string): boolean;
}

const MAX_TEXT = 1024;
/** What a test costs at most, for each character of the text. */
const MAX_STEPS = 1024;

// Loaded with the first pattern: every command reads the settings, and few of them have rules.
const requireHere = createRequire(import.meta.url);
const re2 = (): typeof RE2JS => (requireHere('re2js') as typeof import('re2js')).RE2JS;

/**
 * Compiles a regular expression in RE2's syntax: no back-references and no lookaround, which are what lets a few
 * characters take for ever.
 * @throws ERR_CONFIG_INVALID
 */
export function compilePattern(text: string): Pattern {
  if (text.length > MAX_TEXT) throw wrong(text.slice(0, 40), `is longer than ${MAX_TEXT} characters`);
  const pattern = compile(text);
  if (pattern.programSize() > MAX_STEPS) throw wrong(text, 'is too large');
  return pattern;
}

/** A glob whose `*` stands for any characters, as a pattern of the whole text. @throws ERR_CONFIG_INVALID */
export function compileGlob(glob: string): Pattern {
  return compilePattern(`^${glob.split(/\*+/).map(re2().quote).join('.*')}$`);
}

function compile(text: string): RE2JS {
  try {
    return re2().compile(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace('error parsing regexp: ', '') : String(cause);
    throw wrong(text, `is not a regular expression of RE2: ${why}`, cause);
  }
}

function wrong(text: string, what: string, cause?: unknown): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', `the pattern ${JSON.stringify(text)} ${what}`, { cause });
}
