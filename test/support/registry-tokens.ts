import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { run } from './child.ts';

/** A user's name and password. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Who may read which repository; may be changed while servers use it. */
export interface Rights {
  /** Whether a user (undefined: nobody in particular) may read a repository now. */
  mayRead(user: string | undefined, repository: string): boolean;
}

/** A token server as registries use it, that signs with a key of its own. */
export interface TokenServer extends AsyncDisposable {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** The certificate that the registry trusts, PEM. */
  readonly certificateFile: string;
  /** Tokens asked for so far, refused ones included. */
  requests(): number;
  /** Logins that it was shown, wrong ones too. */
  readonly shown: readonly Login[];
}

const SERVICE = 'registry.test';
const ISSUER = 'tokens.test';

/** The key id that docker-registry gives a public key: the first 240 bits of its SHA-256 in base32. */
function keyIdOf(spki: Buffer): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...createHash('sha256').update(spki).digest().subarray(0, 30)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  const text = (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('');
  return (text.match(/.{4}/g) ?? []).join(':');
}

/** The login of a Basic Authorization header; undefined where there is none. */
export function basicLogin(header: string | undefined): Login | undefined {
  const text = /^Basic (.+)$/i.exec(header ?? '')?.[1];
  if (text === undefined) return undefined;
  const [user = '', ...rest] = Buffer.from(text, 'base64').toString('utf8').split(':');
  return { user, password: rest.join(':') };
}

/** The `sub` of a bearer token, unverified; empty for nobody in particular, undefined where there is no token. */
export function subjectOf(header: string | undefined): string | undefined {
  const payload = /^Bearer [^.]+\.([^.]+)\./.exec(header ?? '')?.[1];
  if (payload === undefined) return undefined;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sub?: unknown };
  return typeof claims.sub === 'string' ? claims.sub : undefined;
}

/** Starts a token server on any free port; its tokens live for `tokenSeconds`. */
export async function startTokenServer(options: {
  readonly dir: string;
  readonly users: readonly Login[];
  readonly rights: Rights;
  readonly tokenSeconds: number;
}): Promise<TokenServer> {
  const { dir, users, rights, tokenSeconds } = options;
  const [keyFile, certificateFile] = [join(dir, 'tokens.key'), join(dir, 'tokens.crt')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-keyout', keyFile, '-out', certificateFile, '-subj', `/CN=${ISSUER}`];
  await run(['openssl', 'req', '-x509', ...curve, ...files]);
  const key = createPrivateKey(readFileSync(keyFile));
  const spki = createPublicKey(readFileSync(certificateFile)).export({ type: 'spki', format: 'der' });
  const kid = keyIdOf(spki);
  let asked = 0;
  const shown: Login[] = [];

  function tokenFor(user: string, scopes: readonly string[]): string {
    const access = scopes.flatMap((scope) => {
      const [type, name, actions] = /^(repository):(.+):([a-z,*]*)$/.exec(scope)?.slice(1) ?? [];
      if (type === undefined || name === undefined || actions === undefined) return [];
      const granted = actions.split(',').includes('pull') && rights.mayRead(user || undefined, name);
      return granted ? [{ type, name, actions: ['pull'] }] : [];
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: ISSUER, sub: user, aud: SERVICE, jti: randomUUID(), access };
    const times = { iat: now, nbf: now - 10, exp: now + tokenSeconds };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ typ: 'JWT', alg: 'ES256', kid })}.${part({ ...claims, ...times })}`;
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://tokens.test');
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (url.pathname !== '/token') return void answer(404, {});
    asked += 1;
    // As many registries do, it knows the older of the two ways alone.
    if (request.method !== 'GET') return void answer(405, {});
    const login = basicLogin(request.headers.authorization);
    if (login !== undefined) shown.push(login);
    const known = users.some((one) => one.user === login?.user && one.password === login.password);
    if (login !== undefined && !known) {
      return void answer(401, { errors: [{ code: 'UNAUTHORIZED', message: 'wrong user or password' }] });
    }
    const token = tokenFor(login?.user ?? '', url.searchParams.getAll('scope'));
    const issued = new Date().toISOString();
    answer(200, { token, access_token: token, expires_in: tokenSeconds, issued_at: issued });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    realm: `http://127.0.0.1:${port}/token`,
    service: SERVICE,
    issuer: ISSUER,
    certificateFile,
    requests: () => asked,
    shown,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
