/** What a command of `shoal auth` did, and where it stands; no secret is in it. */
export interface AuthWritten {
  readonly action: 'made' | 'kept' | 'added' | 'rotated' | 'dropped';
  readonly swarm: string;
  readonly kind: 'nkeys' | 'passwords';
  /** What nats-server reads. */
  readonly config: string;
  readonly users: readonly {
    readonly role: string;
    readonly name: string;
    /** What its owner logs in with. */
    readonly login: string;
    /** How many keys it has at this time. */
    readonly keys: number;
  }[];
}

/** What was written, and what to do next. */
export function authText(written: AuthWritten): string {
  const { action, swarm, config, users } = written;
  if (action === 'kept')
    return `The accounts of the swarm ${swarm} are there already; nothing was written.\n`;
  const flag = written.kind === 'nkeys' ? '--nats-nkey' : '--nats-password-file';
  const name = users[0]?.name ?? '';
  const logins = users.map((user) => `  ${user.role.padEnd(9)}  ${user.login}\n`).join('');
  const reload = `Have nats-server read it: nats-server --signal reload, or SIGHUP to its process.\n`;
  switch (action) {
    case 'made':
      return `The accounts of the swarm ${swarm}: ${config}
${logins}
1. Have nats-server read them: nats-server -js -c ${config}
   or include the file in its configuration (by its path from there), and reload it.
2. Give each daemon the login of its role, and nobody another's: ${flag} FILE
   People who steer the swarm take the operator's, those who only watch the monitor's.
`;
    case 'added':
      return `Added to the swarm ${swarm}, with a login of its own: ${flag} FILE
${logins}${reload}`;
    case 'rotated':
      return `A new login of ${name} in the swarm ${swarm}; the old one holds too:
${logins}1. ${reload}2. Give the new file to whoever logs in as ${name}; daemons read it at their next connection.
3. End the old one: shoal auth rotate ${name} --drop-old
`;
    case 'dropped':
      return `The old login of ${name} ends in the swarm ${swarm}.
${reload}`;
  }
}
