import { ShoalError } from '../core/errors.ts';
import { parseDuration } from '../core/units.ts';
import { print } from './print.ts';

/** Clears the screen, and what was above it. */
const CLEAR = '\u001b[H\u001b[2J\u001b[3J';

/** Runs once; with --watch again and again on a clear screen, until Ctrl-C. @throws ERR_CONFIG_INVALID for no time */
export async function watching(
  { watch, json }: Readonly<Record<string, unknown>>,
  show: () => Promise<void>,
): Promise<void> {
  if (watch === undefined) return show();
  const everyMs = typeof watch === 'string' ? parseDuration(watch) : 2_000;
  if (everyMs < 200) throw new ShoalError('ERR_CONFIG_INVALID', '--watch: give 200ms or more');
  for (;;) {
    if (!json && process.stdout.isTTY) await print(CLEAR);
    await show();
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
