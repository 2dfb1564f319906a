import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type OwnHost, startOwnSwarm } from '../support/own-swarm.ts';
import { tempDir } from '../support/temp-dir.ts';
import { throughProxy } from '../support/through-proxy.ts';

const digestOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const LAYER = Buffer.from('a layer');
const CONFIG = Buffer.from('{"os":"linux","architecture":"amd64"}');
const part = (content: Buffer) => ({
  mediaType: 'application/octet-stream',
  digest: digestOf(content),
  size: content.length,
});
const TYPE = 'application/vnd.oci.image.manifest.v1+json';
const MANIFEST = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: TYPE, config: part(CONFIG), layers: [part(LAYER)] }),
);

/** A server with one registry below each of two paths, each with an account and a token server of its own. */
async function startServer() {
  const asked: IncomingMessage[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    asked.push(request);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://server');
    const [, team = '', rest = ''] = /^\/(red|blue)\/docker\/(.*)$/.exec(pathname) ?? [];
    if (team === '') return void response.writeHead(404).end();
    const login = Buffer.from(`${team}:secret`).toString('base64');
    if (rest === 'token') {
      const isRight = request.headers.authorization === `Basic ${login}`;
      const body = JSON.stringify({ token: isRight ? `${team}-${searchParams.get('scope')}` : 'nobody' });
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    }
    if (request.headers.authorization !== `Bearer ${team}-repository:app:pull`) {
      const realm = `http://${request.headers.host}/${team}/docker/token`;
      const challenge = `Bearer realm="${realm}",service="${team}",scope="repository:app:pull"`;
      return void response.writeHead(401, { 'www-authenticate': challenge }).end();
    }
    const contents = new Map([LAYER, CONFIG, MANIFEST].map((content) => [digestOf(content), content]));
    const [, kind, reference = ''] = /^v2\/app\/(manifests|blobs|tags)\/(.+)$/.exec(rest) ?? [];
    if (kind === 'tags') {
      response.writeHead(200, { link: `</${team}/docker/v2/app/tags/list?n=1&last=v1>; rel="next"` });
      return void response.end('{"name":"app","tags":["v1"]}');
    }
    const content = reference === 'v1' ? MANIFEST : contents.get(reference);
    if (content === undefined) return void response.writeHead(404).end();
    const isManifest = content === MANIFEST;
    response.writeHead(200, {
      'content-length': content.length,
      'content-type': isManifest ? TYPE : 'application/octet-stream',
      'docker-content-digest': digestOf(content),
    });
    response.end(request.method === 'HEAD' ? undefined : content);
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('registries below paths of one server are read as by their URLs, each with its own credentials', async () => {
  await using dir = await tempDir();
  await using server = await startServer();
  const dockerConfig = join(dir.path, 'config.json');
  const login = (name: string) => ({ auth: Buffer.from(`${name}:secret`).toString('base64') });
  await writeFile(
    dockerConfig,
    JSON.stringify({ auths: { 'red.example': login('red'), 'blue.example': login('blue') } }),
  );
  const registry = [`red.example=${server.url}/red/docker/`, `blue.example=${server.url}/blue/docker/v2`];
  await using swarm = await startOwnSwarm({ flags: { registry, 'docker-config': dockerConfig } });
  const [{ proxy, host }] = swarm.hosts as [OwnHost];
  for (const name of ['red.example', 'blue.example']) {
    const at = (path: string) => throughProxy(proxy, `/v2/app/${path}?ns=${name}`);
    expect(await at('manifests/v1')).toMatchObject({
      status: 200,
      body: MANIFEST,
      headers: { 'content-type': TYPE },
    });
    for (const content of [CONFIG, LAYER]) {
      expect(await at(`blobs/${digestOf(content)}`)).toMatchObject({ status: 200, body: content });
    }
    const tags = await at('tags/list');
    expect(tags).toMatchObject({ status: 200, body: Buffer.from('{"name":"app","tags":["v1"]}') });
    expect(tags.headers['link']).toBe(`</v2/app/tags/list?n=1&last=v1&ns=${name}>; rel="next"`);
  }
  const places = (await host.control.images()).map(({ registry, repository, tag }) => [
    registry,
    repository,
    tag,
  ]);
  expect(places).toContainEqual(['red.example', 'app', undefined]);
  const crossed = server.asked.filter(({ url = '', headers }) => {
    const other = url.startsWith('/red/') ? 'blue' : 'red';
    const { authorization = '' } = headers;
    return (
      authorization.includes(other) ||
      Buffer.from(authorization.slice(6), 'base64').toString().includes(other)
    );
  });
  expect(crossed).toEqual([]);
});
