import { useState } from 'preact/hooks';
import { type AskError, ask, saveToken } from './api.ts';
import { Trouble } from './parts/trouble.tsx';
import type { WhoAmI } from './rows.ts';

/** Asks for a token, and tries it. */
export function Login({ onLogin }: { readonly onLogin: (who: WhoAmI) => void }) {
  const [error, setError] = useState<AskError>();
  const tried = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    saveToken(String(form.get('token') ?? '').trim());
    try {
      onLogin(await ask<WhoAmI>('/api/v1/whoami'));
    } catch (failed) {
      saveToken('');
      setError(failed as AskError);
    }
  };
  return (
    <main class="login">
      <h1>Shoal</h1>
      <form onSubmit={tried}>
        <label>
          Token
          <input name="token" type="password" autocomplete="off" required />
        </label>
        <button type="submit">Log in</button>
      </form>
      <Trouble error={error} />
      <p class="quiet">
        An operator makes one: <code>shoal token create NAME --scope read</code>. It is forgotten when this
        tab is closed.
      </p>
    </main>
  );
}
