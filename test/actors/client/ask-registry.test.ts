import { expect, test } from 'vitest';
import { headOf, verdictOf } from '../../../actors/client/ask-registry.ts';
import { opened, server } from '../../origins/registry/client-scene.ts';
import { testRegistries } from '../../origins/registry/support.ts';
import { failure, file, never } from '../../origins/support.ts';

const CONTENT = Buffer.from('a layer');
const path = `/v2/app/blobs/sha256:${'0'.repeat(64)}`;

/** What becomes of a question to a registry that answers HEAD so, and GET as it should. */
async function asked(status: number) {
  const give = file(CONTENT);
  const registry = await server((request, response, seen) => {
    if (request.method === 'HEAD') response.writeHead(status).end();
    else give(request, response, seen);
  });
  const { client } = opened(testRegistries());
  const question = {
    kind: 'registry',
    base: registry.url,
    path,
    authorization: undefined,
    headers: {},
  } as const;
  const answer = headOf(client, { ...question, limitMs: 60_000 }, never);
  return { answer, methods: () => registry.requests.map(({ method }) => method) };
}

test.each([400, 403, 405, 500, 501, 502])(
  'whom a registry answers HEAD with %i asks for a byte',
  async (status) => {
    const { answer, methods } = await asked(status);
    expect(verdictOf(await answer)).toMatchObject({ kind: 'allowed', facts: { length: CONTENT.length } });
    expect(methods()).toEqual(['HEAD', 'GET']);
  },
);

test.each([503, 504])(
  'a registry that is too busy for HEAD, with %i, is asked by nothing else',
  async (status) => {
    const { answer, methods } = await asked(status);
    expect(await failure(answer)).toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE', details: { status } });
    expect(new Set(methods())).toEqual(new Set(['HEAD']));
  },
);
