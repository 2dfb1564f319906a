import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { LIMITS } from '../core/limits.ts';
import { streamConfig } from '../transport/streams.ts';
import { SUBJECTS } from '../transport/subjects.ts';

const PAGE = new URL('../docs/SUBJECTS.md', import.meta.url);

const ABOUT: Record<keyof typeof SUBJECTS, { who: string; what: string }> = {
  sync: {
    who: 'host → owning scheduler',
    what: 'all a host has to say of a task; its whole set of leases back',
  },
  resolve: { who: 'host → owning scheduler', what: 'which content a URL stands for now' },
  originTold: {
    who: 'owner of the URL → owner of the task',
    what: 'what a host was told by the origin, and what it reads of it now',
  },
  announce: {
    who: 'host → any scheduler',
    what: 'a public key; a membership token, scheduler keys and an address book back',
  },
  alive: { who: 'host → schedulers', what: 'presence: addresses, zone, load, version' },
  holds: { who: 'host → owning scheduler', what: 'pages of what a host holds, at start and on a census' },
  leases: {
    who: 'scheduler → host',
    what: 'the set of leases again, when something changed for an idle host',
  },
  evict: { who: 'scheduler → host', what: 'give this task up and free its space' },
  fetch: {
    who: 'scheduler → host',
    what: 'for a job: have these in your cache, keep them, or give them up, and how far that is',
  },
  lookUp: {
    who: 'scheduler → host',
    what: 'for a job: which digest an image has, which tags fit, what an image is made of',
  },
  ask: { who: 'owner → host', what: 'a census for one host: it came back, and has not said what it holds' },
  census: { who: 'new owner → all hosts', what: 'a new owner of partitions asks what hosts hold' },
  schedulerAlive: { who: 'scheduler → schedulers', what: 'presence of a scheduler' },
  query: {
    who: 'host, command line → schedulers',
    what: 'lists and details; everybody who has some answers',
  },
  explain: {
    who: 'host, command line → hosts',
    what: 'how a task came to each host (`shoal explain`); every host answers',
  },
  remove: { who: 'operator → schedulers', what: 'have every host give this task up (`shoal task rm`)' },
  jobCreate: {
    who: 'operator → a scheduler',
    what: 'accept a job, once for each key (`shoal preheat`, `pin`, `evict`)',
  },
  jobsAsk: {
    who: 'command line → a scheduler',
    what: 'jobs, one job, or its hosts, by the page (`shoal job ls`, `show`, `watch`)',
  },
  jobCancel: { who: 'operator → a scheduler', what: 'end a job, a pin or a schedule (`shoal job cancel`)' },
  job: { who: 'scheduler → work queue → a scheduler', what: 'there is something to do for a job' },
  handOver: {
    who: 'scheduler → operator, gateway',
    what: 'the headers that you keep for this job go to that host, which reads with them',
  },
  jobHeaders: {
    who: 'operator, gateway → host',
    what: 'headers of one job, over TLS or on one machine; a host keeps them in memory alone',
  },
  logCreated: { who: 'scheduler → task log', what: 'a task, its length and its sources' },
  logManifest: { who: 'scheduler → task log', what: 'the hashes of its pieces, paged' },
  logFailed: { who: 'scheduler → task log', what: 'a task was given up' },
  logRetired: { who: 'scheduler → task log', what: 'a task was forgotten' },
  audit: {
    who: 'gateway, operator → audit log',
    what: 'who changed what through the HTTP API (docs/API.md)',
  },
  delivery: { who: 'scheduler → deliveries', what: 'what a host received, by source' },
};

const KINDS = { request: 'request', publish: 'publish', log: 'JetStream', queue: 'work queue' } as const;

function fieldsOf(schema: z.ZodType<unknown>): string {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape as Record<string, z.ZodType>)
      .map(([name, field]) => `\`${name}${field.safeParse(undefined).success ? '?' : ''}\``)
      .join(' ');
  }
  if (schema instanceof z.ZodDiscriminatedUnion) {
    return (schema.options as z.ZodType[]).map((option) => fieldsOf(option)).join(' · or · ');
  }
  return 'anything';
}

function table(): string {
  const rows = Object.entries(SUBJECTS).map(([name, subject]) => {
    const { who, what } = ABOUT[name as keyof typeof SUBJECTS];
    return `| \`<swarm>.v1.${subject.template}\` | ${KINDS[subject.kind]} | ${who} | ${what} |`;
  });
  return ['| subject | kind | from → to | what |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function messages(): string {
  return Object.values(SUBJECTS)
    .map((subject) => {
      const message = `- \`${subject.template}\`: ${fieldsOf(subject.message as z.ZodType<unknown>)}`;
      if (subject.kind !== 'request') return message;
      return `${message}\n  - reply: ${fieldsOf(subject.reply as z.ZodType<unknown>)}`;
    })
    .join('\n');
}

function streams(): string {
  const day = 24 * 3600 * 1e9;
  return (['tasks', 'deliveries', 'audit'] as const)
    .map((name) => {
      const { subjects, max_age, max_bytes } = streamConfig('shoal', name);
      const bounds = `${max_age / day} days, ${max_bytes / 1024 ** 2} MiB`;
      return `| stream \`<swarm>-${name}\` | \`${subjects.join(' ').replace('shoal', '<swarm>')}\` | ${bounds} |`;
    })
    .join('\n');
}

/** The whole page. */
export function subjectsPage(): string {
  return `# Subjects

Made by \`npx tsx scripts/docs-subjects.ts --write\` from \`transport/subjects.ts\`; a test keeps it in step.

Every subject begins with \`<swarm>.v1.\` (\`shoal\` unless configured), so that several swarms share one NATS. The sender's
identity is a token of the subject, never a field of the message, so that the server's permissions can prove it. Tokens
are \`[A-Za-z0-9_-]+\`. Messages are msgpack maps, ${LIMITS.messageBytes / 1024} KiB at most, validated on arrival; unknown fields are ignored. An
error answers a request with the headers \`Nats-Service-Error-Code\` (an HTTP status) and \`Nats-Service-Error\`, and a body
{code, message, retryable, details} (docs/ERRORS.md).

${table()}
| \`<swarm>.v1.event.<noun>.<past-tense>.<hostId>.<id>\` | publish | everyone → whoever listens | CloudEvents 1.0 as JSON (docs/EVENTS.md); the only public ones |

## Kept by JetStream

Declared in code, made by whoever needs them first, brought in step where they differ; what operators set beside that stays.
In a cluster of NATS three servers keep each (\`nats-replicas\`): one while there are no more, and three as soon as there are;
never fewer than before. Without JetStream everything else works; schedulers then recover from what hosts hold alone.

| kept in | subjects | at most |
| --- | --- | --- |
${streams()}
| bucket \`<swarm>-directory\` | scheduler keys | 16 MiB |
| bucket \`<swarm>-ownership\` | partitions and sessions | 16 MiB |
| bucket \`<swarm>-tokens\` | hashes of the tokens of the HTTP API | 16 MiB |

Streams keep the last message of each subject.

## Fields

\`?\` marks what may be absent.

${messages()}

## Replies

A reply goes to \`_INBOX_SHOAL.<kind>.<name>.>\`: \`host\` and the id of a host, \`scheduler\` and the id of a scheduler, \`client\` and the name of
a command (that of its login, else \`cli-\` and a random number). Whoever answers drops a request whose reply subject is not below the
inbox of the sender in its subject. For NATS' own tool: \`nats req --inbox-prefix _INBOX_SHOAL.client.NAME\`, with NAME in the subject.
Who may publish and hear what is in docs/SECURITY.md; \`shoal auth\` writes it for nats-server.
`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.includes('--write')) await writeFile(PAGE, subjectsPage());
  else if ((await readFile(PAGE, 'utf8').catch(() => '')) !== subjectsPage()) {
    console.error('docs/SUBJECTS.md is out of step: npx tsx scripts/docs-subjects.ts --write');
    process.exitCode = 1;
  }
}
