import { expect, test } from 'vitest';
import { ask, failure, file, never, serve, testOrigin } from './support.ts';

test('no log line and no error holds a credential', async () => {
  const lines: string[] = [];
  const write = (fields: unknown, message: string) => lines.push(JSON.stringify([fields, message]));
  const logger = { debug: write, info: write, warn: write, error: write };
  const server = await serve((request, response, seen) => {
    if (request.url === '/gone?sig=secret') response.writeHead(404, { 'set-cookie': 'id=secret' }).end();
    else file(Buffer.from('x'))(request, response, seen);
  });
  const origin = testOrigin({ logger });
  const headers = { Authorization: 'Bearer secret', Cookie: 'id=secret' };
  const answer = await origin.probe(
    { ...ask(`${server.url}/a?sig=secret`, headers), prefixBytes: 10 },
    never,
  );
  if (answer.kind === 'content') answer.body.discard();
  const error = await failure(
    origin.probe({ ...ask(`${server.url}/gone?sig=secret`, headers), prefixBytes: 10 }, never),
  );
  expect(lines).toHaveLength(2);
  expect(lines.join('\n') + error.message + JSON.stringify(error.toWire())).not.toContain('secret');
  await origin.close();
  await server.close();
});
