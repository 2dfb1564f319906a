import { randomUUID } from 'node:crypto';
import type { Emit, EventType } from '../core/events.ts';
import type { Bus } from '../transport/bus.ts';

interface EventSource {
  readonly bus: Bus;
  readonly swarm: string;
  /** Host or scheduler id: who says so. */
  readonly speaker: string;
  readonly pieceEvents: boolean;
}

/** Events of a piece are many: off unless asked for, but for a parent that served wrong bytes. */
const NOISY: ReadonlySet<EventType> = new Set(['piece.verified', 'piece.failed']);

/** Publishes events as CloudEvents 1.0 on `<swarm>.v1.event.<noun>.<past-tense>.<speaker>.<id>`. */
export function createEmit({ bus, swarm, speaker, pieceEvents }: EventSource): Emit {
  return (type, id, data) => {
    if (bus.state !== 'connected' || (!pieceEvents && NOISY.has(type))) return;
    const body = {
      specversion: '1.0',
      id: randomUUID(),
      source: `/${swarm}/${speaker}`,
      type: `shoal.v1.${type}`,
      subject: id,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      data,
    };
    bus.emit({ type, subject: `${type}.${speaker}.${id}`, body });
  };
}
