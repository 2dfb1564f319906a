import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { type Child, run, startChild, until } from './child.ts';
import { freePort } from './free-port.ts';
import { type Refuse, type RegistryFront, startRegistryFront } from './registry-front.ts';
import { type Login, startTokenServer, subjectOf, type TokenServer } from './registry-tokens.ts';

export type RegistryAuth = 'none' | 'basic' | 'token';

/** What stands for those who give no name. */
export const ANYBODY = '';

/** Debian's docker-registry behind a proxy that counts what it sends. */
export interface Registry extends AsyncDisposable {
  readonly port: number;
  /** As clients name it: `127.0.0.1:PORT`. */
  readonly name: string;
  readonly url: string;
  readonly tokens: TokenServer | undefined;
  readonly front: RegistryFront;
  /** Lets a user, or ANYBODY, read a repository; only where it is behind tokens. */
  grant(user: string, repository: string): void;
  /** Takes the right back, also from tokens given out already. */
  withdraw(user: string, repository: string): void;
  /** A second registry over the same content that asks nobody's name, for pushing; gone after `use`. */
  loading<T>(use: (url: string) => Promise<T>): Promise<T>;
}

export interface RegistryOptions {
  readonly auth?: RegistryAuth;
  readonly users?: readonly Login[];
  readonly tokenSeconds?: number;
  readonly bytesPerSec?: number;
  /** TLS of the clients' side. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** Users of a registry unless others are given. */
export const ALICE: Login = { user: 'alice', password: 'opened sesame' };
export const BOB: Login = { user: 'bob', password: 'builder' };

/** The bcrypt line of a user in an htpasswd file. */
export async function htpasswdLine({ user, password }: Login): Promise<string> {
  const salt = '$2y$05$abcdefghijklmnopqrstuu';
  const hash = await run(['perl', '-e', 'print crypt($ARGV[0], $ARGV[1])', password, salt]);
  return `${user}:${hash.trim()}`;
}

/** Starts a registry on a free port of 127.0.0.1. @throws Error with its log where it does not answer */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const { auth = 'none', users = [ALICE, BOB] } = options;
  const dir = mkdtempSync(join(tmpdir(), 'shoal-registry-'));
  const storage = join(dir, 'storage');
  mkdirSync(storage);
  const rights = new Map<string, Set<string>>();
  const mayRead = (user: string | undefined, repository: string) => {
    const readers = rights.get(repository);
    return (readers?.has(user ?? ANYBODY) ?? false) || (readers?.has(ANYBODY) ?? false);
  };
  let tokens: TokenServer | undefined;
  let authLines = '';
  if (auth === 'basic') {
    const lines = await Promise.all(users.map(htpasswdLine));
    writeFileSync(join(dir, 'htpasswd'), `${lines.join('\n')}\n`);
    authLines = `auth: {htpasswd: {realm: registry.test, path: ${join(dir, 'htpasswd')}}}\n`;
  } else if (auth === 'token') {
    const { tokenSeconds = 60 } = options;
    tokens = await startTokenServer({ dir, users, rights: { mayRead }, tokenSeconds });
    const { realm, service, issuer, certificateFile } = tokens;
    const token = `realm: "${realm}", service: ${service}, issuer: ${issuer}, rootcertbundle: ${certificateFile}`;
    authLines = `auth: {token: {${token}}}\n`;
  }

  async function backend(name: string, extra: string): Promise<{ child: Child; port: number }> {
    const port = await freePort('127.0.0.1');
    const config = join(dir, `${name}.yml`);
    const lines = [
      'version: 0.1',
      'log: {level: warn, accesslog: {disabled: true}}',
      `storage: {filesystem: {rootdirectory: ${storage}}, delete: {enabled: true}, maintenance: {uploadpurging: {enabled: false}}}`,
      `http: {addr: "127.0.0.1:${port}", relativeurls: true}`,
    ];
    writeFileSync(config, `${lines.join('\n')}\n${extra}`);
    const program = findCommand('docker-registry') ?? 'docker-registry';
    const child = startChild([program, 'serve', config], join(dir, `${name}.log`));
    await until('docker-registry to answer', async () => {
      if (!child.running) throw new Error(`docker-registry ended, see ${join(dir, `${name}.log`)}`);
      const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
      return answer?.status;
    });
    return { child, port };
  }

  const refuse: Refuse = (request) => {
    const user = subjectOf(request.headers.authorization);
    const repository = /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(request.url ?? '')?.[1];
    if (tokens === undefined || user === undefined || repository === undefined) return undefined;
    if (mayRead(user || undefined, repository)) return undefined;
    const scope = `scope="repository:${repository}:pull",error="insufficient_scope"`;
    const challenge = `Bearer realm="${tokens.realm}",service="${tokens.service}",${scope}`;
    return { status: 401, headers: { 'www-authenticate': challenge } };
  };

  const { child, port: upstreamPort } = await backend('registry', authLines);
  const port = await freePort('127.0.0.1');
  const { bytesPerSec, tls } = options;
  const frontOptions = {
    port,
    upstreamPort,
    refuse,
    ...(bytesPerSec === undefined ? {} : { bytesPerSec }),
    ...(tls === undefined ? {} : { tls }),
  };
  const front = await startRegistryFront(frontOptions);
  return {
    port,
    name: `127.0.0.1:${port}`,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    tokens,
    front,
    grant(user, repository) {
      rights.set(repository, (rights.get(repository) ?? new Set()).add(user));
    },
    withdraw: (user, repository) => void rights.get(repository)?.delete(user),
    async loading(use) {
      const loader = await backend('loader', '');
      try {
        return await use(`http://127.0.0.1:${loader.port}`);
      } finally {
        await loader.child.stop();
      }
    },
    async [Symbol.asyncDispose]() {
      await front.stop();
      await tokens?.[Symbol.asyncDispose]();
      await child.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
