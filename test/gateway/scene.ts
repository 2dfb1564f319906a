import { Ajv2020 } from 'ajv/dist/2020.js';
import type { InjectOptions } from 'fastify';
import { expect } from 'vitest';
import { createEmit } from '../../app/events.ts';
import { realClock, realRandom } from '../../app/real-world.ts';
import { swarmQueries } from '../../app/swarm-query.ts';
import type { Scope } from '../../core/api-token.ts';
import { type Digest, taskIdOfDigest } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import { registryBase } from '../../core/registry-names.ts';
import type { SchedulerRow } from '../../core/swarm-rows.ts';
import { writeAudit } from '../../gateway/audit.ts';
import { buildGateway } from '../../gateway/build.ts';
import { EventFeed } from '../../gateway/event-feed.ts';
import { TokenDoor } from '../../gateway/tokens/token-door.ts';
import { TokenStore } from '../../gateway/tokens/token-store.ts';
import type { GatewayWorld } from '../../gateway/world.ts';
import { createMemoryHub } from '../../transport/memory-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { seeded } from '../scheduling/world.ts';
import { type Known, schedulerDouble } from './double.ts';
import { FakeJobs } from './fake-jobs.ts';

/** What the image of every scene is made of. */
export const PARTS = ['a', 'b', 'c'].map((letter) => ({
  digest: `sha256:${letter.repeat(64)}` as Digest,
  size: 1_000,
}));

/** A scheduler that says that it serves all but the last partition. */
export const SCHEDULER: SchedulerRow = {
  schedulerId: '5c1e9d7a3b2f4068',
  name: 'node-1',
  sinceMs: 1_767_225_600_000,
  partitions: Array.from({ length: 63 }, (_, index) => index),
  epochLeast: 7,
  epoch: 9,
  guided: true,
  leaving: false,
  tasks: 20,
  hosts: 5,
  version: '0.1.0',
};

type Method = 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH' | 'HEAD' | 'OPTIONS';

/** One request of a test. */
export interface Asked {
  readonly method?: Method;
  readonly url: string;
  readonly token?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

/** A gateway whose swarm is a double, over a bus in memory. */
export async function gatewayScene(known: Partial<Known> = {}, more: Partial<GatewayWorld> = {}) {
  const hub = createMemoryHub({ clock: realClock, random: seeded(1) });
  const bus = hub.bus('gateway');
  const scheduler = schedulerDouble(hub.bus('scheduler'), {
    ...{ tasks: 20, hosts: 5, named: PARTS.slice(0, 2).map(({ digest }) => taskIdOfDigest(digest)) },
    ...known,
  });
  const world = { bus, clock: realClock, random: realRandom };
  const tokens = new TokenStore(world);
  const door = new TokenDoor(bus.directory('tokens'), realClock);
  const jobs = new FakeJobs();
  const emit = createEmit({ bus, swarm: 'shoal', speaker: bus.name, pieceEvents: false });
  const app = await buildGateway({
    clock: realClock,
    random: realRandom,
    logger: silentLogger,
    swarmName: 'shoal',
    version: '0.1.0',
    nats: () => bus.state,
    swarm: swarmQueries(bus, { schedulers: () => 1 }),
    schedulers: () => [SCHEDULER],
    jobs,
    console: new Map(),
    events: new EventFeed(bus),
    login: (headers) => door.check(headers),
    audit: (record) => writeAudit({ ...world, emit, logger: silentLogger }, record),
    imageParts: async () => PARTS,
    registryBase: (name) => registryBase(name),
    harborLogin: 'token',
    onAnswered: () => undefined,
    ...more,
  });
  const valid = validator(app.swagger());

  /** A token with these scopes. */
  const tokenWith = async (...scopes: Scope[]) =>
    (await tokens.create({ name: scopes.join('-') || 'none', scopes })).text;
  const admin = await tokenWith('admin');

  /** Asks as an administrator unless told otherwise; every answer is held against the OpenAPI document. */
  async function ask({ method = 'GET', url, token = admin, headers = {}, body }: Asked) {
    const asked: InjectOptions = {
      method,
      url,
      headers: { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    };
    const answer = await app.inject(asked);
    valid(method, url, answer.statusCode, answer.headers['content-type'], answer.body);
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      json: () => answer.json(),
    };
  }

  return {
    app,
    hub,
    bus,
    jobs,
    tokens,
    scheduler,
    admin,
    tokenWith,
    ask,
    /** What the audit log has, oldest first. */
    async audit() {
      return (await bus.readLog(SUBJECTS.audit, {})).map(({ message }) => message);
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await bus.close();
    },
  };
}

interface ApiDocument {
  readonly paths?: Record<string, Record<string, unknown> | undefined> | undefined;
}

/** Fails where an answer is not as the document says, or is a 500. */
function validator(document: ApiDocument) {
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(document, 'api');
  const paths = Object.keys(document.paths ?? {}).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  const checks = new Map<string, ReturnType<typeof ajv.compile>>();
  const escaped = (text: string) =>
    text.replaceAll('~', '~0').replaceAll('/', '~1').replace(/[{}]/g, encodeURIComponent);
  return (method: string, url: string, status: number, type: unknown, text: string): void => {
    expect(status, text).not.toBe(500);
    if (method === 'HEAD') return;
    const place = url.split('?')[0] ?? '';
    const path = paths.find(({ pattern }) => pattern.test(place))?.path;
    const operation = path === undefined ? undefined : document.paths?.[path]?.[method.toLowerCase()];
    const media = String(type).split(';')[0] ?? '';
    if (operation === undefined || path === undefined) {
      if (status >= 400)
        expect(JSON.parse(text)).toMatchObject({ error: { code: expect.stringMatching(/^ERR_/) } });
      return;
    }
    const code = status === 200 ? '200' : `${Math.floor(status / 100)}XX`;
    const where = ['paths', path, method.toLowerCase(), 'responses', code, 'content', media, 'schema'];
    const ref = `api#/${where.map(escaped).join('/')}`;
    const check = checks.get(ref) ?? ajv.compile({ $ref: ref });
    checks.set(ref, check);
    const value: unknown = media === 'application/json' ? JSON.parse(text) : text;
    expect(
      check(value),
      `${method} ${url} ${status}: ${JSON.stringify(check.errors)} ${text.slice(0, 500)}`,
    ).toBe(true);
  };
}
