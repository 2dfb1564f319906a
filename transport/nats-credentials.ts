import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  nkeys,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import { isToken } from './address.ts';

/** How a client proves itself to NATS. Files are read again at every connection, so that they can be replaced. */
export type NatsCredentials =
  | { readonly user: string; readonly pass: string }
  | { readonly user: string; readonly passFile: string }
  /** A file with `USER:PASSWORD`. */
  | { readonly loginFile: string }
  | { readonly token: string }
  | { readonly tokenFile: string }
  /** A `.creds` file: a JWT and its seed. */
  | { readonly credsFile: string }
  /** A file with the seed of an nkey, alone or among other lines. */
  | { readonly nkeyFile: string };

const encoder = new TextEncoder();
const SENDER_LINE = /^#\s*sender:\s*([A-Za-z0-9_-]{1,200})\s*$/m;

/** The line of a login file that says who its owner is in subjects. */
export function senderLine(sender: string): string {
  return `# sender: ${sender}`;
}

/** Checks what can be checked without a server. @throws ERR_CONFIG_INVALID naming the file */
export function authenticatorOf(credentials: NatsCredentials): Authenticator {
  const make = authenticator(credentials);
  // Once before there is a server, for whoever named the wrong file.
  make('check');
  return make;
}

function authenticator(credentials: NatsCredentials): Authenticator {
  if ('token' in credentials) return tokenAuthenticator(credentials.token);
  if ('tokenFile' in credentials) return tokenAuthenticator(() => lineOf(credentials.tokenFile));
  if ('loginFile' in credentials) {
    const { loginFile } = credentials;
    return usernamePasswordAuthenticator(
      () => loginOf(loginFile).user,
      () => loginOf(loginFile).pass,
    );
  }
  if ('passFile' in credentials) {
    return usernamePasswordAuthenticator(credentials.user, () => lineOf(credentials.passFile));
  }
  if ('user' in credentials) return usernamePasswordAuthenticator(credentials.user, credentials.pass);
  if ('nkeyFile' in credentials) return nkeyAuthenticator(() => seedOf(credentials.nkeyFile));
  return credsOf(credentials.credsFile);
}

/** The name that a login gives its owner in subjects; undefined where it gives none. @throws ERR_CONFIG_INVALID */
export function senderOf(credentials: NatsCredentials | undefined): string | undefined {
  if (credentials === undefined) return undefined;
  if ('nkeyFile' in credentials) return SENDER_LINE.exec(read(credentials.nkeyFile))?.[1];
  if ('loginFile' in credentials) {
    return SENDER_LINE.exec(read(credentials.loginFile))?.[1] ?? token(loginOf(credentials.loginFile).user);
  }
  return 'user' in credentials ? token(credentials.user) : undefined;
}

function token(text: string): string | undefined {
  return isToken(text) ? text : undefined;
}

function seedOf(file: string): Uint8Array {
  const lines = read(file)
    .split('\n')
    .map((line) => line.trim());
  const seed = encoder.encode(lines.find((line) => line.startsWith('SU')) ?? '');
  try {
    nkeys.fromSeed(seed);
    return seed;
  } catch {
    // The library's own error may hold the seed.
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `${file} holds no seed of a NATS user (a line that begins SU)`,
    );
  }
}

function credsOf(file: string): Authenticator {
  return (nonce) => {
    const text = encoder.encode(read(file));
    try {
      return credsAuthenticator(text)(nonce);
    } catch {
      throw new ShoalError('ERR_CONFIG_INVALID', `${file} is not a NATS credentials file (.creds)`);
    }
  };
}

/** A password or a token: the whole file, without the end of its line. */
function lineOf(file: string): string {
  const text = read(file).replace(/\r?\n$/, '');
  if (text !== '') return text;
  throw new ShoalError('ERR_CONFIG_INVALID', `${file} is empty`);
}

function loginOf(file: string): { user: string; pass: string } {
  const line = read(file)
    .split(/\r?\n/)
    .find((text) => text !== '' && !text.startsWith('#'));
  const [, user = '', pass = ''] = /^([^:]+):(.+)$/.exec(line ?? '') ?? [];
  if (user !== '') return { user, pass };
  throw new ShoalError('ERR_CONFIG_INVALID', `${file} holds no USER:PASSWORD; or name the user beside it`);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ShoalError('ERR_CONFIG_INVALID', `the NATS login ${file} cannot be read`, { cause });
  }
}
