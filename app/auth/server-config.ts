import { type Accounts, idOf, type Key, type User } from './accounts.ts';
import { permissionsOf } from './permissions.ts';

/** What a nats-server includes: one account for the swarm, with its users and what each may do. */
export function serverConfig(accounts: Accounts): string {
  const users = accounts.users.flatMap((user) =>
    user.keys.map((key) => userBlock(accounts.swarm, user, key)),
  );
  return [
    `# The NATS account of the swarm ${accounts.swarm}, written by \`shoal auth\`: changes by hand are lost.`,
    '# For nats-server: as its configuration (-c), or included in it, by the path from there.',
    'accounts {',
    `  "${accounts.swarm}" {`,
    '    jetstream: enabled',
    '    users: [',
    ...users,
    '    ]',
    '  }',
    '}',
    '',
  ].join('\n');
}

function userBlock(swarm: string, user: User, key: Key): string {
  const { publish, subscribe, answers } = permissionsOf(swarm, { role: user.role, id: idOf(user) });
  const login = 'nkey' in key ? `nkey: ${key.nkey}` : `user: "${key.user}", password: "${key.password}"`;
  return [
    `      # ${user.role}${user.name === user.role ? '' : ` ${user.name}`}`,
    '      {',
    `        ${login}`,
    '        permissions: {',
    `          publish: { allow: [${list(publish)}] }`,
    `          subscribe: { allow: [${list(subscribe)}] }`,
    ...(answers ? ['          allow_responses: true'] : []),
    '        }',
    '      }',
  ].join('\n');
}

function list(subjects: readonly string[]): string {
  return `\n${subjects.map((subject) => `            "${subject}"`).join('\n')}\n          `;
}
