import type { Bucket } from '../../transport/bus.ts';
import { bucketConfig, queueConfig, streamConfig } from '../../transport/streams.ts';
import { SUBJECTS } from '../../transport/subjects.ts';

/** What a user of NATS is to a swarm. */
export const ROLES = ['scheduler', 'host', 'operator', 'monitor', 'gateway'] as const;
/** One of them. */
export type Role = (typeof ROLES)[number];

/** How far a role's right on a subject goes: all of it, or only where the token of that name is the user's own. */
type Extent = 'all' | 'hostId' | 'sender' | 'keeper';
type Grants = Readonly<Partial<Record<Role, Extent>>>;

/** One row of the matrix: a subject, and who may publish and hear it. */
export interface SubjectAccess {
  /** With `<swarm>` for the swarm's name and `{name}` for a variable token. */
  readonly subject: string;
  readonly publish: Grants;
  readonly subscribe: Grants;
}

const BUCKETS: readonly Bucket[] = ['directory', 'ownership', 'jobs', 'job-hosts'];
const ASKING: Grants = { operator: 'sender', monitor: 'sender', gateway: 'sender' };
const CHANGING: Grants = { operator: 'sender', gateway: 'sender' };
const WATCHING: Grants = { operator: 'all', monitor: 'all', gateway: 'all' };
const SCHEDULER: Grants = { scheduler: 'all' };
const OWN_HOST: Grants = { host: 'hostId' };
const NOBODY: Grants = {};

const of = ({ template }: { template: string }, publish: Grants, subscribe: Grants): SubjectAccess => ({
  subject: `<swarm>.v1.${template}`,
  publish,
  subscribe,
});

/** What the scheduler asks of the API of a stream that it owns: nothing that removes one. */
function streamApi(name: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${name}`,
    `$JS.API.STREAM.CREATE.${name}`,
    `$JS.API.STREAM.UPDATE.${name}`,
    `$JS.API.STREAM.MSG.GET.${name}`,
    `$JS.API.CONSUMER.CREATE.${name}.>`,
    `$JS.API.CONSUMER.INFO.${name}.{consumer}`,
    `$JS.API.CONSUMER.DELETE.${name}.{consumer}`,
    `$JS.API.CONSUMER.MSG.NEXT.${name}.{consumer}`,
  ];
}

function stored(): SubjectAccess[] {
  const buckets = BUCKETS.map((bucket) => bucketConfig('SWARM', bucket));
  const jobs = queueConfig('SWARM', 'jobs');
  const streams = [streamConfig('SWARM', 'tasks'), streamConfig('SWARM', 'deliveries'), jobs, ...buckets];
  return toPublish(SCHEDULER, [
    ...streams.flatMap((stream) => stream.subjects),
    ...streams.flatMap(({ name }) => streamApi(name)),
    // Ordered consumers are held back by flow control.
    ...buckets.map(({ name }) => `$JS.FC.${name}.>`),
    // Work that is done is told so.
    `$JS.ACK.${jobs.name}.>`,
  ]);
}

/** The tokens of the HTTP API, and who changed what: what whoever makes tokens and whoever asks for them needs. */
function storedForApi(): SubjectAccess[] {
  const tokens = bucketConfig('SWARM', 'tokens');
  const { name } = streamConfig('SWARM', 'audit');
  return toPublish({ operator: 'all', gateway: 'all' }, [
    ...tokens.subjects,
    ...streamApi(tokens.name),
    `$JS.FC.${tokens.name}.>`,
    ...['INFO', 'CREATE', 'UPDATE'].map((verb) => `$JS.API.STREAM.${verb}.${name}`),
  ]);
}

function toPublish(publish: Grants, subjects: readonly string[]): SubjectAccess[] {
  return subjects.map((subject) => ({
    subject: subject.replace('SWARM', '<swarm>'),
    publish,
    subscribe: NOBODY,
  }));
}

/** Who may do what: permissions are written from this table, and docs/SECURITY.md shows it. */
export const ACCESS: readonly SubjectAccess[] = [
  of(SUBJECTS.sync, OWN_HOST, SCHEDULER),
  of(SUBJECTS.resolve, OWN_HOST, SCHEDULER),
  of(SUBJECTS.originTold, SCHEDULER, SCHEDULER),
  of(SUBJECTS.announce, OWN_HOST, SCHEDULER),
  of(SUBJECTS.alive, OWN_HOST, { ...SCHEDULER, ...WATCHING }),
  of(SUBJECTS.holds, OWN_HOST, SCHEDULER),
  of(SUBJECTS.leases, SCHEDULER, OWN_HOST),
  of(SUBJECTS.evict, SCHEDULER, OWN_HOST),
  of(SUBJECTS.ask, SCHEDULER, OWN_HOST),
  of(SUBJECTS.census, SCHEDULER, { host: 'all' }),
  of(SUBJECTS.schedulerAlive, SCHEDULER, { ...SCHEDULER, ...WATCHING }),
  of(SUBJECTS.query, { host: 'sender', ...ASKING }, SCHEDULER),
  of(SUBJECTS.explain, { host: 'sender', ...ASKING }, { host: 'all' }),
  of(SUBJECTS.fetch, SCHEDULER, OWN_HOST),
  of(SUBJECTS.lookUp, SCHEDULER, OWN_HOST),
  of(SUBJECTS.jobHeaders, CHANGING, OWN_HOST),
  of(SUBJECTS.handOver, SCHEDULER, { operator: 'keeper', gateway: 'keeper' }),
  of(SUBJECTS.remove, CHANGING, SCHEDULER),
  of(SUBJECTS.jobCreate, CHANGING, SCHEDULER),
  of(SUBJECTS.jobCancel, CHANGING, SCHEDULER),
  of(SUBJECTS.jobsAsk, ASKING, SCHEDULER),
  of(SUBJECTS.audit, CHANGING, NOBODY),
  {
    subject: '<swarm>.v1.event.{noun}.{verb}.{hostId}.{id}',
    publish: { ...OWN_HOST, ...SCHEDULER },
    subscribe: WATCHING,
  },
  {
    subject: '<swarm>.v1.event.api.changed.{sender}.{id}',
    publish: { ...SCHEDULER, host: 'sender', ...CHANGING },
    subscribe: WATCHING,
  },
  { subject: '<swarm>.v1.event.>', publish: NOBODY, subscribe: WATCHING },
  ...stored(),
  ...storedForApi(),
  // Answers: of a scheduler to anybody who asks. A host answers what it was asked, once.
  { subject: '_INBOX_SHOAL.host.{hostId}.>', publish: SCHEDULER, subscribe: OWN_HOST },
  { subject: '_INBOX_SHOAL.client.{sender}.>', publish: SCHEDULER, subscribe: ASKING },
  { subject: '_INBOX_SHOAL.scheduler.{schedulerId}.>', publish: NOBODY, subscribe: SCHEDULER },
];

/** Whether a role answers requests at subjects that it may not publish on: each one once, where the asker said. */
export function mayAnswer(role: Role): boolean {
  return role === 'host' || role === 'operator' || role === 'gateway';
}
