import type { IncomingMessage, ServerResponse } from 'node:http';
import { silentLogger } from '../../../core/logger.ts';
import { createAddressPolicy } from '../../../origins/address-policy.ts';
import { createHttpOrigin } from '../../../origins/http-origin.ts';
import { openRegistries } from '../../../origins/registry/open-registries.ts';
import { file, realClock, serve, type TestServer } from '../support.ts';

/** What a token that the server gave is good for. */
interface Given {
  readonly user: string;
  untilMs: number;
}

/** A registry with a token server of its own, whose rules a test changes while it runs. */
export interface FakeRegistry {
  readonly server: TestServer;
  readonly tokens: TestServer;
  /** Who may pull: names, `''` for everybody. */
  readonly readers: Set<string>;
  /** Every form and query that asked for a token. */
  readonly asked: URLSearchParams[];
  /** Ends all tokens. */
  expire(): void;
  close(): Promise<void>;
}

export const USER = 'me';
export const PASSWORD = 's3cret';
export const IDENTITY = 'identity-of-me';

/** Starts a registry behind tokens that serves `content` at every path. */
export async function startFakeRegistry(
  content: Buffer,
  options: {
    /** What the token server says besides the token. */
    readonly said?: object;
    /** Answers in place of the registry where it returns true. */
    readonly instead?: (request: IncomingMessage, response: ServerResponse) => boolean;
    readonly knowsPost?: boolean;
    /** Its challenges say nothing of what a token is for. */
    readonly scopeless?: boolean;
  } = {},
): Promise<FakeRegistry> {
  const given = new Map<string, Given>();
  const readers = new Set(['']);
  const asked: URLSearchParams[] = [];
  const content200 = file(content, '"v1"', { 'content-type': 'application/test' });

  function giveToken(user: string, response: ServerResponse): void {
    const token = `token-${given.size}-${user}`;
    given.set(token, { user, untilMs: Number.POSITIVE_INFINITY });
    response.writeHead(200).end(JSON.stringify({ token, ...options.said }));
  }

  const tokens = await serve((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (request.method === 'POST') {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const form = new URLSearchParams(body);
        asked.push(form);
        if (options.knowsPost === false) response.writeHead(405).end();
        else if (form.get('refresh_token') === IDENTITY) giveToken(USER, response);
        else response.writeHead(401).end('{}');
      });
      return;
    }
    asked.push(url.searchParams);
    const { authorization } = request.headers;
    const logins = [`${USER}:${PASSWORD}`, `<token>:${IDENTITY}`];
    const isUser = logins.some((login) => authorization === `Basic ${Buffer.from(login).toString('base64')}`);
    if (authorization === undefined || isUser) giveToken(isUser ? USER : '', response);
    else {
      const words = '{"details":"incorrect username or password"}';
      response.writeHead(401, { 'content-type': 'application/json' }).end(words);
    }
  });
  const server = await serve((request, response, seen) => {
    if (options.instead?.(request, response)) return;
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const holder = given.get(token);
    const valid = holder !== undefined && holder.untilMs > performance.now();
    if (valid && (readers.has('') || readers.has(holder.user))) return content200(request, response, seen);
    const [, repository] = /^\/v2\/(.+)\/(?:blobs|manifests)\//.exec(request.url ?? '') ?? [];
    const scope =
      repository === undefined || options.scopeless ? '' : `,scope="repository:${repository}:pull"`;
    response
      .writeHead(401, { 'www-authenticate': `Bearer realm="${tokens.url}/token",service="fake"${scope}` })
      .end(request.method === 'HEAD' ? undefined : '{"errors":[{"code":"UNAUTHORIZED"}]}');
  });
  return {
    server,
    tokens,
    readers,
    asked,
    expire() {
      for (const one of given.values()) one.untilMs = 0;
    },
    async close() {
      await server.close();
      await tokens.close();
    },
  };
}

/** The way to registries of a host on this machine. */
export function testRegistries(
  options: {
    readonly dockerConfig?: string;
    readonly clock?: typeof realClock;
    readonly warn?: (fields: object, message: string) => void;
    readonly ca?: string;
  } = {},
) {
  const policy = createAddressPolicy({ allowOrigin: ['127.0.0.1', 'localhost'], onlyOrigin: false });
  const clock = options.clock ?? realClock;
  const random = { next: () => 0, bytes: (count: number) => new Uint8Array(count) };
  const logger = { ...silentLogger, ...(options.warn && { warn: options.warn }) };
  const limits = { backoffMs: 5, budgetMs: 60_000, connectMs: 60_000, stallMs: 60_000 };
  const ca = options.ca === undefined ? {} : { ca: options.ca };
  const common = { policy, clock, random, logger, limits, ...ca };
  const dockerConfig = options.dockerConfig ?? '/nonexistent/config.json';
  const registries = openRegistries({ ...common, dockerConfig, registries: {} });
  const origin = registries.origin(createHttpOrigin(common), 'shoal-test');
  return {
    client: registries.client,
    logins: registries.logins,
    origin,
    async close() {
      await origin.close();
      await registries.close();
    },
  };
}
