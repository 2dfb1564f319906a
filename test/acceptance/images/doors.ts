import { createHash } from 'node:crypto';
import { request } from 'node:http';
import type { Registry } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import type { Scene } from './scene.ts';

/** What came out of a door. */
export interface Answer {
  /** HTTP status, or the exit code of a `get`. */
  readonly status: number;
  readonly bytes: number;
  /** What its head says of its length. */
  readonly length: number | undefined;
  /** Digest of the body, `sha256:…`. */
  readonly digest: string;
  /** Whether the body came to its end. */
  readonly whole: boolean;
  readonly text: string;
  /** Whether the body has nothing but zeros. */
  readonly isZeros: boolean;
}

export interface Ask {
  /** Path below the registry, or a whole URL for a proxy. */
  readonly path: string;
  readonly port: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: 'GET' | 'HEAD';
  readonly timeoutMs?: number;
}

/** One request with a target written as it stands; a cut connection or a stall is an answer that is not whole. */
export function ask({ path, port, headers = {}, method = 'GET', timeoutMs = 60_000 }: Ask): Promise<Answer> {
  return new Promise((resolve) => {
    const hash = createHash('sha256');
    let bytes = 0;
    let status = 0;
    let length: number | undefined;
    let text = '';
    let isZeros = true;
    const end = (whole: boolean) =>
      resolve({ status, bytes, length, digest: `sha256:${hash.digest('hex')}`, whole, text, isZeros });
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      status = response.statusCode ?? 0;
      const { 'content-length': told } = response.headers;
      length = told === undefined ? undefined : Number(told);
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
        isZeros &&= chunk.equals(Buffer.alloc(chunk.length));
        if (text.length < 2_000) text += chunk.toString('latin1').slice(0, 2_000);
      });
      response.once('close', () => end(response.complete));
    });
    sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`nothing came for ${timeoutMs} ms`)));
    sent.once('error', () => {
      if (status === 0) end(false);
    });
    sent.end();
  });
}

/** The Authorization header of a login. */
export function basic({ user, password }: Login): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** What a login is worth to a repository at this registry: its own header, or a token got with it. */
export async function authorizationOf(
  scene: Scene,
  login: Login | undefined,
  repository: string,
): Promise<Record<string, string>> {
  const { tokens } = scene.registry;
  const own = login === undefined ? {} : { authorization: basic(login) };
  if (tokens === undefined) return own;
  const scope = `service=${tokens.service}&scope=repository:${repository}:pull`;
  const answer = await fetch(`${tokens.realm}?${scope}`, { headers: own });
  if (!answer.ok) return own;
  const { token } = (await answer.json()) as { token: string };
  return { authorization: `Bearer ${token}` };
}

/** A path at a registry through each HTTP door of a host: the mirror's two forms, the proxy, the prefix. */
export async function throughDoors(
  scene: Scene,
  host: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  { name, url }: Pick<Registry, 'name' | 'url'> = scene.registry,
  method: 'GET' | 'HEAD' = 'GET',
): Promise<Map<string, Answer>> {
  const port = scene.swarm.proxyPortOf(host);
  const doors: [string, string][] = [
    ['mirror by ns', `${path}?ns=${encodeURIComponent(name)}`],
    ['mirror by path', path.replace('/v2/', `/v2/${name.replace(':', '_')}/`)],
    ['proxy', `${url}${path}`],
    ['prefix', `/blobs/${url}${path}`],
  ];
  const answers = doors.map(
    async ([door, target]) => [door, await ask({ path: target, port, headers, method })] as const,
  );
  return new Map(await Promise.all(answers));
}
