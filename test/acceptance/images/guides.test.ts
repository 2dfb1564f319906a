import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hostStatusSchema } from '../../../admin/control.ts';
import { ROOT, startChild, until } from '../../support/child.ts';
import { MIB } from '../../support/files.ts';
import { shellBlocks } from '../../support/guide.ts';
import { buildImage, TAG } from '../../support/image.ts';
import { type OwnMachine, startOwnMachine } from '../../support/own-machine.ts';
import { htpasswdLine } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import { lastJson } from '../../support/swarm.ts';

const PAGES = 'docs/clients';
const REGISTRY = '127.0.0.1:5000';
/** The same content, for those who have a login. */
const CLOSED = '127.0.0.1:5001';
/** Names that the guides use; each holds the same images here. */
const REGISTRIES: Readonly<Record<string, string>> = {
  'ghcr.io': REGISTRY,
  'docker.io': REGISTRY,
  'quay.io': CLOSED,
  'registry.example:5000': REGISTRY,
};
const REPOSITORIES = ['team/app:v1', 'team/private:v1', 'library/debian:stable-slim'];
/** What the reader of a guide has as PASSWORD. */
const READER: Login = { user: 'alice', password: 'secret' };

/** `systemctl` for the image daemons of a machine. */
const SERVICES = `
start() {
  case "$1" in
    containerd)
      setsid containerd >>/run/containerd.log 2>&1 </dev/null &
      echo $! >/run/containerd.pid ;;
    docker)
      set -- --bridge=none --iptables=false --ip-forward=false --ip-masq=false
      setsid dockerd "$@" --pidfile=/run/docker.pid >>/run/docker.log 2>&1 </dev/null & ;;
  esac
}
answer() {
  for _ in $(seq 100); do
    case "$1" in
      containerd) ctr version >/dev/null 2>&1 && return ;;
      docker) docker info >/dev/null 2>&1 && return ;;
      *) return ;;
    esac
    sleep 0.1
  done
  echo "$1 does not answer" >&2
  exit 1
}
stop() {
  [ -e "/run/$1.pid" ] || return 0
  pid=$(cat "/run/$1.pid")
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    # What has ended stays as a zombie here, whose program is gone.
    readlink "/proc/$pid/exe" >/dev/null || return 0
    sleep 0.1
  done
}
case "$1" in
  restart) stop "$2"; start "$2"; answer "$2" ;;
  reload) [ ! -e "/run/$2.pid" ] || kill -HUP "$(cat "/run/$2.pid")" ;;
esac
`;

/** Runs a script in the machine. @throws Error with what it printed where it fails */
async function must(machine: OwnMachine, script: string): Promise<string> {
  const ran = await machine.run(script, 120_000);
  if (ran.code !== 0) throw new Error(`${script}\nended with ${ran.code}:\n${ran.stdout}\n${ran.stderr}`);
  return ran.stdout;
}

/** A machine with a registry, a daemon of Shoal, containerd and Docker, as a reader of the guides has it. */
async function openMachine(): Promise<OwnMachine> {
  const image = await buildImage([12 * MIB, 6 * MIB, 3 * MIB, 1 * MIB]);
  const machine = await startOwnMachine();
  const log = join(machine.dir, 'shoal.log');
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') {
      console.error((await machine.run(`tail -n 40 ${log} /run/docker.log /run/containerd.log`)).stdout);
    }
    await machine[Symbol.asyncDispose]();
  });
  machine.command(
    'systemctl',
    `${SERVICES}\n[ "$1" = restart ] || exit 0\nstop "$2"; start "$2"; answer "$2"`,
  );
  writeFileSync(join(machine.dir, 'htpasswd'), `${await htpasswdLine(READER)}\n`);
  mkdirSync(join(machine.dir, 'registry'));
  for (const [at, auth] of [
    [REGISTRY, ''],
    [CLOSED, `auth: {htpasswd: {realm: closed, path: ${machine.dir}/htpasswd}}\n`],
  ] as const) {
    const config = `
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${machine.dir}/registry}}
http: {addr: "${at}"}
${auth}`;
    const file = join(machine.dir, `${at}.yml`);
    writeFileSync(file, config);
    await must(
      machine,
      `setsid docker-registry serve ${file} >>${machine.dir}/registry.log 2>&1 </dev/null &
for _ in $(seq 100); do curl -s -o /dev/null http://${at}/v2/ && break; sleep 0.1; done`,
    );
  }
  for (const repository of REPOSITORIES) {
    const target = `docker://${REGISTRY}/${repository}`;
    const copy = `skopeo --insecure-policy copy -q --dest-tls-verify=false oci:${image.dir}:${TAG} ${target}`;
    await must(machine, copy);
  }
  const registries = Object.entries(REGISTRIES).map(([name, at]) => `${name}=http://${at}`);
  const settings = [
    `SHOAL_REGISTRY=${registries.join(',')}`,
    `SHOAL_ALLOW_ORIGIN=${REGISTRY},${CLOSED}`,
    'SHOAL_DEFAULT_REGISTRY=docker.io',
  ];
  const up = startChild([...machine.inside, 'env', ...settings, 'shoal', 'up'], log);
  await until('the daemon to be ready', async () => {
    if (!up.running) throw new Error('shoal up ended');
    const ran = await machine.run('curl -sf http://127.0.0.1:4001/healthz && shoal status', 10_000);
    return ran.code === 0 || undefined;
  });
  await must(machine, 'systemctl restart containerd; systemctl restart docker');
  return machine;
}

const pages = readdirSync(join(ROOT, PAGES)).filter((name) => name.endsWith('.md'));

test('there is a guide for each client', () => {
  expect(pages).toEqual(
    expect.arrayContaining(['containerd.md', 'crio.md', 'docker.md', 'podman.md', 'skopeo.md']),
  );
});

for (const page of pages) {
  test(`every command of ${page} does what it is there for`, async () => {
    const blocks = shellBlocks(join(PAGES, page));
    expect(blocks.length, 'blocks of commands').toBeGreaterThan(0);
    const machine = await openMachine();
    const run = (script: string, password: string) =>
      machine.run(`export PASSWORD='${password}'\n${script}`, 120_000);
    for (const block of blocks) {
      // What a login is for is refused without it, and with a wrong one.
      const [, needsLogin] = /^[^\n]* login [^\n]*\n(.+)$/s.exec(block) ?? [];
      if (needsLogin !== undefined)
        expect((await run(needsLogin, READER.password)).code, needsLogin).not.toBe(0);
      if (needsLogin !== undefined) expect((await run(block, 'a guess')).code, block).not.toBe(0);
      const ran = await run(block, READER.password);
      expect(ran.code, `${block}\n${ran.stdout}\n${ran.stderr}`).toBe(0);
    }
    const status = hostStatusSchema.parse(lastJson(await must(machine, 'shoal status --json')));
    expect(status.bytes.origin, 'bytes that came through the daemon').toBeGreaterThan(20 * MIB);
  });
}
