import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { createEmit } from '../../app/events.ts';
import { HOST, TASK } from '../../scripts/event-examples.ts';
import { gatewayScene } from './scene.ts';

/** Reads a stream of events as its client does; `text` grows. */
async function follow(scene: Awaited<ReturnType<typeof gatewayScene>>, path: string) {
  await scene.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = scene.app.server.address() as AddressInfo;
  const told = { text: '', ended: false };
  const asked = request({
    port,
    host: '127.0.0.1',
    path,
    headers: { authorization: `Bearer ${scene.admin}` },
  });
  asked.on('error', () => undefined);
  asked.on('response', (answer) => {
    answer.setEncoding('utf8');
    answer.on('data', (part: string) => {
      told.text += part;
    });
    answer.on('close', () => {
      told.ended = true;
    });
    answer.on('error', () => undefined);
  });
  asked.end();
  await vi.waitFor(() => expect(told.text).toContain(': shoal'));
  return { told, leave: () => asked.destroy() };
}

test('events are followed by type and by what they happened to, for as long as the client listens', async () => {
  await using scene = await gatewayScene();
  const emit = createEmit({ bus: scene.hub.bus('host'), swarm: 'shoal', speaker: HOST, pieceEvents: false });
  const { told, leave } = await follow(scene, `/api/v1/events?type=peer&id=${TASK}`);
  emit('peer.joined', TASK, { taskId: TASK, hostId: HOST });
  emit('peer.joined', 'another', { taskId: 'another', hostId: HOST });
  emit('host.drained', TASK, { hostId: HOST });
  emit('peer.fed', TASK, { taskId: TASK, hostId: HOST });
  await vi.waitFor(() => expect(told.text).toContain('peer.fed'));
  const events = [...told.text.matchAll(/^event: event\ndata: (.*)$/gm)].map(([, data = '']) =>
    JSON.parse(data),
  );
  expect(events.map(({ type }) => type)).toEqual(['shoal.v1.peer.joined', 'shoal.v1.peer.fed']);
  expect(events[0]).toMatchObject({ specversion: '1.0', data: { taskId: TASK } });
  leave();
  await vi.waitFor(() => expect(told.ended).toBe(true));
});

test('a stream ends when the gateway stops', async () => {
  const scene = await gatewayScene();
  const { told } = await follow(scene, '/api/v1/events');
  await scene[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(told.ended).toBe(true));
});

test('there is no stream of a type that there is not', async () => {
  await using scene = await gatewayScene();
  const answer = await scene.ask({ url: '/api/v1/events?type=nonsense' });
  expect(answer.status).toBe(400);
});
