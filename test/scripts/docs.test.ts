import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EVENTS, type EventType } from '../../core/events.ts';
import { pages, placeOf } from '../../scripts/docs.ts';
import { exampleEvent } from '../../scripts/docs-events.ts';

const made = await pages();

test.each([...made])('docs/%s says what the code says', (name, text) => {
  expect(readFileSync(placeOf(name), 'utf8')).toBe(text);
});

test.each(Object.keys(EVENTS) as EventType[])('the example of %s is a valid event', (type) => {
  const { subject, body } = exampleEvent(type);
  const { data } = body;
  expect(EVENTS[type].data.strict().parse(data)).toEqual(data);
  expect(subject).toMatch(/^shoal\.v1\.event\.[a-z]+\.[a-z]+\.[0-9a-z]+\.[0-9a-z-]+$/);
  expect(made.get('EVENTS.md')).toContain(JSON.stringify(body, null, 2));
});
