import { z } from 'zod';
import { EVENTS, type EventType } from '../core/events.ts';
import { EXAMPLES, GATEWAY, HOST, SCHEDULER } from './event-examples.ts';

/** One example of an event as it is on the wire. */
export function exampleEvent(type: EventType): {
  readonly subject: string;
  readonly body: Record<string, unknown>;
} {
  const { by, data } = EXAMPLES[type];
  const speaker = { host: HOST, scheduler: SCHEDULER, gateway: GATEWAY }[by];
  const [noun] = type.split('.');
  const { taskId, hostId, jobId } = data as { taskId?: string; hostId?: string; jobId?: string };
  const id = (noun === 'host' ? hostId : (taskId ?? jobId)) ?? speaker;
  return {
    subject: `shoal.v1.event.${type}.${speaker}.${id}`,
    body: {
      specversion: '1.0',
      id: '0b6e7f1c-2f0e-4c39-9d6e-5a4c8f1b7d20',
      source: `/shoal/${speaker}`,
      type: `shoal.v1.${type}`,
      subject: id,
      time: '2026-01-31T12:00:00.000Z',
      datacontenttype: 'application/json',
      data,
    },
  };
}

/** docs/EVENTS.md. */
export function eventsPage(): string {
  const sections = (Object.keys(EVENTS) as EventType[]).map((type) => {
    const { about, data } = EVENTS[type];
    const { subject, body } = exampleEvent(type);
    const rows = Object.entries(data.shape as Record<string, z.ZodType>).map(
      ([name, schema]) => `| \`${name}\` | ${typeOf(schema)} | ${schema.description ?? ''} |`,
    );
    const table = ['| field | type | what |', '| --- | --- | --- |', ...rows].join('\n');
    const json = JSON.stringify(body, null, 2);
    return `## ${type}\n\n${about}\n\n${table}\n\n\`${subject}\`\n\n\`\`\`json\n${json}\n\`\`\``;
  });
  return `${INTRO}\n\n${sections.join('\n\n')}\n`;
}

const INTRO = `# Events

What happens in a swarm is published on NATS, for monitoring and automation: \`<swarm>.v1.event.<noun>.<past tense>.<who says so>.<id>\`,
the payload a CloudEvent 1.0 in JSON. Follow them with \`shoal events\`, or \`nats sub 'shoal.v1.event.>'\`.

- The types and fields below are stable: fields may be added, none changes its meaning. Ignore what you do not know.
- Delivery is at most once, and nothing is sent while NATS is away; metrics count what matters for good.
- URLs come without user-info.

This page is made from \`core/events.ts\` by \`scripts/docs.ts\`.`;

function typeOf(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { unrepresentable: 'any' });
  const optional = schema.safeParse(undefined).success ? ', optional' : '';
  const { type = 'any', enum: values } = json;
  if (values !== undefined) return values.map((value) => `\`${String(value)}\``).join(' ') + optional;
  if (type === 'array') return `list${optional}`;
  return `${type}${optional}`;
}
