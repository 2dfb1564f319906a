import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startChild, until } from '../../support/child.ts';
import { type OwnMachine, startOwnMachine } from '../../support/own-machine.ts';

const ORIGIN = '10.9.9.9';
/** What nobody may read; each listens here, as it would in a cloud. */
const CLOSED = ['169.254.169.254', '169.254.7.7', '100.100.100.200', '127.0.0.1:80', '[fd00:ec2::254]'];

/** Servers that print who comes to them, and an origin that redirects from `/STATUS/…?to=URL`. */
const SERVERS = `
import { createServer } from 'node:http';
const visited = (at) => createServer((request, response) => {
  console.log(\`visit \${at} \${request.url}\`);
  response.end('secret');
}).listen(80, at.replace(/[\\[\\]]|:80$/g, ''));
for (const at of ${JSON.stringify(CLOSED)}) visited(at);
createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://origin');
  const status = Number(pathname.split('/')[1]);
  if (status === 200) return response.end('the content');
  response.writeHead(status, { location: searchParams.get('to') }).end();
}).listen(80, '${ORIGIN}', () => console.log('ready'));
`;

/** A machine with addresses of a cloud on its loopback interface, and a daemon as it is without further settings. */
async function openCloud(): Promise<{ machine: OwnMachine; visits: () => Promise<string[]> }> {
  const machine = await startOwnMachine();
  const servers = join(machine.dir, 'servers.log');
  const log = join(machine.dir, 'shoal.log');
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail')
      console.error((await machine.run(`tail -n 40 ${log} ${servers}`)).stdout);
    await machine[Symbol.asyncDispose]();
  });
  const plain = [ORIGIN, ...CLOSED].filter((at) => !at.startsWith('127.') && !at.startsWith('['));
  const added = await machine.run(
    [...plain.map((at) => `ip addr add ${at}/32 dev lo`), 'ip addr add fd00:ec2::254/128 dev lo nodad'].join(
      '\n',
    ),
  );
  expect(added, added.stderr).toMatchObject({ code: 0 });
  writeFileSync(join(machine.dir, 'servers.mjs'), SERVERS);
  startChild([...machine.inside, process.execPath, join(machine.dir, 'servers.mjs')], servers);
  const lines = async () => (await machine.run(`cat ${servers}`)).stdout.trim().split('\n');
  await until('the servers to listen', async () => (await lines()).includes('ready') || undefined);
  const up = startChild([...machine.inside, 'shoal', 'up', '--prefix-origin', ORIGIN], log);
  await until('the daemon to be ready', async () => {
    if (!up.running) throw new Error('shoal up ended');
    return (await machine.run('curl -sf http://127.0.0.1:4001/healthz')).code === 0 || undefined;
  });
  return { machine, visits: async () => (await lines()).filter((line) => line.startsWith('visit')) };
}

test('no client of the forward proxy gets to metadata, link-local or loopback servers that are really there', async () => {
  const { machine, visits } = await openCloud();
  const ask = (flags: string, url: string) =>
    machine.run(`curl -sS -m 20 -L -w '\\n%{http_code} %{http_connect}' ${flags} '${url}' || true`);
  const proxy = '-x http://127.0.0.1:4001';
  const good = await ask(proxy, `http://${ORIGIN}/302/a.iso?to=http://${ORIGIN}/200/b.iso`);
  expect(good.stdout).toContain('the content');
  for (const at of CLOSED) {
    const secret = `http://${at}/latest/meta-data/`;
    const asked = new Map([
      ['straight', await ask(proxy, secret)],
      ['a file of the swarm', await ask(proxy, `${secret}a.iso`)],
      ['in a tunnel', await ask(`${proxy} -p`, secret)],
      ['the prefix form', await ask('', `http://127.0.0.1:4001/blobs/${secret}`)],
    ]);
    for (const status of [301, 302, 307]) {
      const to = `to=${encodeURIComponent(secret)}`;
      asked.set(`${status} of a page`, await ask(proxy, `http://${ORIGIN}/${status}/page?${to}`));
      asked.set(
        `${status} of a file of the swarm`,
        await ask(proxy, `http://${ORIGIN}/${status}/a.iso?${to}`),
      );
      asked.set(
        `${status} in the prefix form`,
        await ask('', `http://127.0.0.1:4001/blobs/http://${ORIGIN}/${status}/a.iso?${to}`),
      );
      asked.set(
        `${status} in the prefix form, on a condition`,
        await ask(
          `-H 'If-None-Match: "x"'`,
          `http://127.0.0.1:4001/blobs/http://${ORIGIN}/${status}/a.iso?${to}`,
        ),
      );
    }
    for (const [how, { stdout }] of asked) {
      expect(stdout, `${at}: ${how}`).toMatch(/\n(?:403 000|000 403)$/);
      expect(stdout, `${at}: ${how}`).not.toContain('secret');
    }
  }
  expect(await visits()).toEqual([]);
  // They were there all the time.
  for (const at of CLOSED) expect((await ask('-g', `http://${at}/here`)).stdout).toContain('secret');
  expect((await visits()).length).toBe(CLOSED.length);
});
