import { useState } from 'preact/hooks';
import type { PageProps } from '../app.tsx';
import { dateText } from '../words.ts';

const PRICE_KEY = 'shoal-price-per-gb';

/** What a GB read of an origin costs, as the user said; 0: not said. */
export function savedPrice(): number {
  const price = Number(localStorage.getItem(PRICE_KEY));
  return Number.isFinite(price) && price > 0 ? price : 0;
}

/** Who is logged in, and what only this browser keeps. */
export function SettingsPage({ who: { name, scopes, expiresAtMs } }: PageProps) {
  const [price, setPrice] = useState(savedPrice);
  return (
    <>
      <h1>Settings</h1>
      <dl class="facts">
        <dt>token</dt>
        <dd>{name}</dd>
        <dt>may</dt>
        <dd>{scopes.join(', ')}</dd>
        <dt>until</dt>
        <dd>{expiresAtMs === undefined ? 'it is revoked' : dateText(expiresAtMs)}</dd>
      </dl>
      <form class="search">
        <label>
          Price of a GB that an origin gives
          <input
            type="number"
            min="0"
            step="0.001"
            value={price}
            onInput={({ currentTarget: { value } }) => {
              localStorage.setItem(PRICE_KEY, value);
              setPrice(Number(value));
            }}
          />
        </label>
      </form>
      <p>
        Tokens are made by <code>shoal token</code>. The API: <a href="/try">try it</a>, or read{' '}
        <a href="/openapi.json">openapi.json</a>.
      </p>
    </>
  );
}
