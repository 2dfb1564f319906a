import { isExpired, type TokenRecord } from '../../core/api-token.ts';
import { tableText } from './tables.ts';

/** What programs are shown of a token: all that is kept but the hash. */
export function shownToken({ hash: _hash, ...shown }: TokenRecord): Omit<TokenRecord, 'hash'> {
  return shown;
}

/** A token that was made; this is the only time that it is shown. */
export function madeTokenText({ name, scopes, expiresAtMs }: TokenRecord, text: string): string {
  return `${text}\n\n  ${name} may ${scopes.join(', ')}, ${until(expiresAtMs)}. It is shown this once; send it as\n  Authorization: Bearer TOKEN\n`;
}

/** The list of tokens. */
export function tokensText(records: readonly TokenRecord[], wallMs: number): string {
  if (records.length === 0) return 'no tokens\n';
  return tableText(
    ['ID', 'NAME', 'SCOPES', 'MADE', 'HOLDS'],
    records.map((record) => [
      record.id,
      record.name,
      record.scopes.join(','),
      dayOf(record.createdAtMs),
      isExpired(record, wallMs) ? 'expired' : until(record.expiresAtMs),
    ]),
  );
}

/** What was revoked. */
export function revokedText(records: readonly TokenRecord[]): string {
  if (records.length === 0) return 'nothing to revoke\n';
  return records.map(({ id, name }) => `revoked ${name} (${id})\n`).join('');
}

function until(expiresAtMs: number | undefined): string {
  return expiresAtMs === undefined ? 'for ever' : `until ${dayOf(expiresAtMs)}`;
}

function dayOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 16).replace('T', ' ');
}
