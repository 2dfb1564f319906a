import { z } from 'zod';

const cloudEvent = z.object({
  type: z.string(),
  time: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});

/** Our name of an event's type: what follows `shoal.` where a CloudEvent carries it; empty for what is no event. */
export function eventTypeOf(event: unknown): string {
  const { data } = cloudEvent.safeParse(event);
  return data?.type.replace(/^(?:.*\.)?(?=[a-z]+\.[a-z-]+$)/, '') ?? '';
}

/** An event as a line for people: time, type, and its data. */
export function eventLine(event: unknown): string {
  const { data: parsed } = cloudEvent.safeParse(event);
  const time = new Date(parsed?.time ?? Number.NaN);
  const clock = Number.isNaN(time.getTime()) ? '--:--:--' : time.toISOString().slice(11, 19);
  const fields = Object.entries(parsed?.data ?? {}).map(([name, value]) => `${name}=${valueText(value)}`);
  return [clock, eventTypeOf(event).padEnd(15), ...fields].join(' ');
}

function valueText(value: unknown): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/\s+/g, ' ');
}
