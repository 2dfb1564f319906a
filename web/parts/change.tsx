import { useState } from 'preact/hooks';
import { type AskError, ask } from '../api.ts';
import { Trouble } from './trouble.tsx';

/** A button that changes something, asks once more, and says what came of it. */
export function Change({
  label,
  sure,
  path,
  method,
  body,
  done,
}: {
  readonly label: string;
  readonly sure?: string;
  readonly path: string;
  readonly method: 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly done: (answer: unknown) => void;
}) {
  const [error, setError] = useState<AskError>();
  const [asking, setAsking] = useState(false);
  const change = async () => {
    setAsking(false);
    try {
      done(await ask(path, { method, body }));
    } catch (failed) {
      setError(failed as AskError);
    }
  };
  return (
    <span>
      {asking ? (
        <>
          {sure}{' '}
          <button type="button" class="danger" onClick={change}>
            yes, {label}
          </button>{' '}
          <button type="button" onClick={() => setAsking(false)}>
            no
          </button>
        </>
      ) : (
        <button type="button" onClick={sure === undefined ? change : () => setAsking(true)}>
          {label}
        </button>
      )}
      <Trouble error={error} />
    </span>
  );
}
