import { expect, test } from 'vitest';
import { SHOAL, startCommand } from '../support/child.ts';
import { startSwarm } from '../support/swarm.ts';

test('without JetStream a job is refused at once, with what to do', async () => {
  await using swarm = await startSwarm({ peers: 1, seed: false, natsConfig: 'jetstream: disabled' });
  const commands = [
    ['preheat', 'https://files.example.org/one'],
    ['pin', `sha256:${'a'.repeat(64)}`],
    ['job', 'ls'],
  ];
  for (const command of commands) {
    const ran = await startCommand([...SHOAL, ...command, '--nats', swarm.natsUrl, '--json'], 30_000).done;
    expect(ran.code, command.join(' ')).toBe(75);
    expect(ran.stderr).toContain('ERR_JOB_NO_STORE');
    expect(ran.stderr).toContain('-js');
  }
});
