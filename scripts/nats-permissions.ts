import { bucketConfig, streamConfig } from '../transport/streams.ts';

/** What one NATS user may do; the server then proves the identity in every subject. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** A host: speaks under its own id alone. Its client name, and so its inbox, is its host id. */
export function hostPermissions(swarm: string, hostId: string): Permissions {
  const of = `${swarm}.v1.`;
  return {
    publish: [
      `${of}task.*.*.${hostId}.sync`,
      `${of}resource.*.*.${hostId}.resolve`,
      `${of}host.${hostId}.announce`,
      `${of}host.${hostId}.alive`,
      `${of}host.${hostId}.holds.*`,
      `${of}query.*`,
      `${of}event.*.*.${hostId}.*`,
    ],
    subscribe: [
      `${of}host.${hostId}.leases`,
      `${of}host.${hostId}.evict`,
      `${of}host.${hostId}.fetch`,
      `${of}census`,
      `_INBOX_SHOAL.${hostId}.>`,
    ],
  };
}

/** Any scheduler (its id is new at each start): the other end of the hosts' subjects, the task log, the directories. */
export function schedulerPermissions(swarm: string): Permissions {
  const of = `${swarm}.v1.`;
  const buckets = [bucketConfig(swarm, 'directory'), bucketConfig(swarm, 'ownership')];
  const streams = [streamConfig(swarm, 'tasks'), streamConfig(swarm, 'deliveries'), ...buckets];
  return {
    publish: [
      `${of}host.*.leases`,
      `${of}host.*.evict`,
      `${of}census`,
      `${of}scheduler.*.alive`,
      `${of}event.>`,
      ...streams.flatMap(({ subjects }) => subjects),
      ...streams.flatMap(({ name }) => [
        `$JS.API.STREAM.*.${name}`,
        `$JS.API.STREAM.MSG.GET.${name}`,
        `$JS.API.CONSUMER.*.${name}.>`,
        `$JS.API.CONSUMER.MSG.NEXT.${name}.*`,
      ]),
      ...buckets.map(({ name }) => `$JS.FC.${name}.>`),
    ],
    subscribe: [
      `${of}task.*.*.*.sync`,
      `${of}resource.*.*.*.resolve`,
      `${of}host.*.announce`,
      `${of}host.*.alive`,
      `${of}host.*.holds.*`,
      `${of}scheduler.*.alive`,
      `${of}query.*`,
      '_INBOX_SHOAL.*.>',
    ],
  };
}

/** A monitor: hears the public face, asks what the command line asks, changes nothing. */
export function monitorPermissions(swarm: string, name: string): Permissions {
  const of = `${swarm}.v1.`;
  return {
    publish: [`${of}query.*`],
    subscribe: [`${of}event.>`, `${of}host.*.alive`, `${of}scheduler.*.alive`, `_INBOX_SHOAL.${name}.>`],
  };
}

/** Whoever runs `shoal preheat`: a monitor that may order hosts to fetch. */
export function operatorPermissions(swarm: string, name: string): Permissions {
  const { publish, subscribe } = monitorPermissions(swarm, name);
  return { publish: [...publish, `${swarm}.v1.host.*.fetch`], subscribe };
}

/** One user of a NATS configuration file. */
export function userBlock(user: string, password: string, permissions: Permissions): string {
  const list = (subjects: readonly string[]) =>
    subjects.map((subject) => `          "${subject}"`).join('\n');
  return [
    '    {',
    `      user: "${user}", password: "${password}"`,
    '      permissions: {',
    `        publish: { allow: [\n${list(permissions.publish)}\n        ] }`,
    `        subscribe: { allow: [\n${list(permissions.subscribe)}\n        ] }`,
    '        allow_responses: true',
    '      }',
    '    }',
  ].join('\n');
}
