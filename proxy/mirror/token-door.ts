import type { IncomingMessage } from 'node:http';
import { registryBase } from '../../core/registry-names.ts';
import type { Credential } from '../../origins/registry/docker-config.ts';
import type { ProxyRequest } from '../request.ts';
import { TOKEN_SECONDS } from './mirror-tokens.ts';
import type { MirrorWorld } from './mirror-world.ts';
import { OciRefusal } from './oci-error.ts';
import { TOKEN_PATH } from './own-challenge.ts';
import { placeOf } from './route.ts';

const LONGEST_FORM = 64 * 1024;
const SCOPE = /^repository(?:\([a-z]+\))?:(.+):[a-z,*]*$/;

/** Whether a request is for a token of this mirror. */
export function asksForToken(target: string): boolean {
  return target === TOKEN_PATH || target.startsWith(`${TOKEN_PATH}?`);
}

/**
 * Gives a token of this mirror, by both ways that clients know. A login is meant for the registry whose repository the
 * scope names, and is refused where that is more than one; nobody is asked about it before something is read with it.
 * @throws OciRefusal
 * @see distribution, Token Authentication Specification and OAuth2 Token Authentication
 */
export async function giveToken(
  world: Pick<MirrorWorld, 'tokens' | 'clock' | 'defaultRegistry' | 'registries'>,
  { request, response, isHead }: ProxyRequest,
): Promise<void> {
  const { search } = new URL(request.url ?? '', 'http://mirror');
  const form = request.method === 'POST' ? await formOf(request) : undefined;
  const said = form ?? new URLSearchParams(search);
  const credential = form === undefined ? loginIn(request.headers.authorization) : grantIn(form);
  const base = credential === undefined ? undefined : meantBy(world, said.getAll('scope'));
  const token = world.tokens.give(credential, base);
  const body = Buffer.from(
    JSON.stringify({
      token,
      access_token: token,
      expires_in: TOKEN_SECONDS,
      issued_at: new Date(world.clock.wall()).toISOString(),
    }),
  );
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(isHead ? undefined : body);
}

/** Base URL of the one registry whose repositories the scopes name; undefined where they name none. */
function meantBy(
  { defaultRegistry, registries }: Pick<MirrorWorld, 'defaultRegistry' | 'registries'>,
  scopes: readonly string[],
): string | undefined {
  const meant = new Set<string>();
  for (const scope of scopes.flatMap((text) => text.split(' '))) {
    const name = SCOPE.exec(scope)?.[1];
    if (name === undefined) continue;
    const registry = placeOf(name, defaultRegistry, registries)?.registry ?? defaultRegistry;
    const base = registry === undefined ? undefined : registryBase(registry, registries);
    if (base !== undefined && URL.canParse(base)) meant.add(base);
  }
  const [base] = meant;
  if (meant.size <= 1) return base;
  throw new OciRefusal(400, 'DENIED', 'a login is for one registry, and these scopes are of several');
}

/** The login of a Basic header; one without any name and password is nobody's. */
function loginIn(header: string | undefined): Credential | undefined {
  if (header === undefined) return undefined;
  const encoded = /^basic +([A-Za-z0-9+/_-]*={0,2})$/i.exec(header)?.[1];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) throw new OciRefusal(401, 'UNAUTHORIZED', 'a name and a password are asked for here');
  return loginOf(text.slice(0, colon), text.slice(colon + 1));
}

function loginOf(user: string, password: string): Credential | undefined {
  return user === '' && password === '' ? undefined : { kind: 'login', user, password };
}

function grantIn(form: URLSearchParams): Credential | undefined {
  const grant = form.get('grant_type');
  if (grant === 'password') return loginOf(form.get('username') ?? '', form.get('password') ?? '');
  const token = form.get('refresh_token') ?? '';
  if (grant === 'refresh_token' && token !== '') return { kind: 'identity', user: '', token };
  throw new OciRefusal(400, 'UNSUPPORTED', 'a grant is a password or a refresh_token');
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > LONGEST_FORM) throw new OciRefusal(400, 'UNSUPPORTED', 'no form is as long as this');
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'));
}
