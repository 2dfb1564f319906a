import type { AskError } from '../api.ts';

/** What could not be had, why, and what to do; said aloud by a screen reader. */
export function Trouble({ error }: { readonly error: AskError | undefined }) {
  if (error === undefined) return null;
  return (
    <p class="trouble" role="alert">
      {error.message} {error.fix}
    </p>
  );
}
