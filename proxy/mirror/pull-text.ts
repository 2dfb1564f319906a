import { fromText, timeText } from '../../core/delivery-text.ts';
import { formatDuration } from '../../core/units.ts';
import type { PullStory } from './pull-book.ts';

/** The one line that ends a pull: what it was, how long it took, where its bytes came from and why, what the time went to. */
export function pullText(story: PullStory): string {
  const { registry, repository, reference, digest, durationMs, outcome, time } = story;
  const name = reference === undefined ? (digest === undefined ? '' : `@${digest}`) : `:${reference}`;
  const what = `${registry}/${repository}${name}`;
  const said = outcome === 'complete' ? `pulled ${what}` : `pull of ${what} failed`;
  return `${said} in ${formatDuration(durationMs)}: ${fromText(story, 'hosts')}; ${timeText(time)}`;
}
