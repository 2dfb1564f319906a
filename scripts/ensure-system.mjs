#!/usr/bin/env node
/*
 * Installs the Debian packages that the tests, the demo and the labs need, where they are missing:
 *   node scripts/ensure-system.mjs [--for=nats|shells|rules|acceptance|console|compose|images|forward|demo-image]
 * Plain JavaScript without dependencies: it runs before `npm ci`.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Commands looked for, and the package of Debian that brings each. */
const NEEDS = {
  nats: { 'nats-server': 'nats-server' },
  rules: { promtool: 'prometheus' },
  shells: { bash: 'bash', zsh: 'zsh', fish: 'fish', groff: 'groff-base', tmux: 'tmux' },
  acceptance: {
    'nats-server': 'nats-server',
    nginx: 'nginx-light',
    ip: 'iproute2',
    tc: 'iproute2',
    curl: 'curl',
  },
  console: { 'nats-server': 'nats-server', 'chromium-headless-shell': 'chromium-headless-shell' },
  compose: {
    dockerd: 'docker.io',
    docker: 'docker.io',
    'docker-compose': 'docker-compose',
    iptables: 'iptables',
  },
  'demo-image': {
    'nats-server': 'nats-server',
    'docker-registry': 'docker-registry',
    skopeo: 'skopeo',
  },
  forward: {
    'nats-server': 'nats-server',
    curl: 'curl',
    wget: 'wget',
    aria2c: 'aria2',
    openssl: 'openssl',
    git: 'git',
    'git-lfs': 'git-lfs',
    python3: 'python3',
    pip3: 'python3-pip',
    npm: 'npm',
    'apt-get': 'apt',
    'dpkg-deb': 'dpkg',
  },
  images: {
    'nats-server': 'nats-server',
    'docker-registry': 'docker-registry',
    containerd: 'containerd',
    ctr: 'containerd',
    runc: 'runc',
    skopeo: 'skopeo',
    podman: 'podman',
    buildah: 'buildah',
    dockerd: 'docker.io',
    docker: 'docker.io',
    iptables: 'iptables',
    openssl: 'openssl',
  },
};

/** Other ways to a command, said where the package cannot be installed. */
const WAYS = {
  'nats-server':
    'a release from https://github.com/nats-io/nats-server/releases put into PATH, `go install github.com/nats-io/nats-server/v2@latest`, or `brew install nats-server`',
};

const POLICY = '/usr/sbin/policy-rc.d';

/** The full path of a command, in further folders, PATH or where Debian keeps what only root runs; undefined where it is missing. */
export function findCommand(name, further = []) {
  const folders = [
    ...further,
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
    '/usr/bin',
  ];
  for (const folder of folders.filter(Boolean)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

function apt(args) {
  const run = spawnSync('apt-get', args, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return { ok: run.status === 0, log: `${run.stdout ?? ''}${run.stderr ?? ''}` };
}

/** Installs packages; the services in them are not started. Returns the log of a failure, or undefined. */
function install(packages) {
  const quiet = !existsSync(POLICY);
  if (quiet) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const command = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
    if (apt(command).ok) return undefined;
    const update = apt(['update', '-qq']);
    const second = apt(command);
    return second.ok ? undefined : `${update.log}${second.log}`;
  } finally {
    if (quiet) rmSync(POLICY, { force: true });
  }
}

/** Makes sure that everything of a purpose is there. Returns what to tell the user where it is not. */
export function ensureSystem(purpose = 'nats') {
  const needs = NEEDS[purpose];
  if (needs === undefined)
    return `ensure-system: unknown purpose ${purpose}; one of ${Object.keys(NEEDS).join(', ')}`;
  const absent = () => Object.keys(needs).filter((name) => findCommand(name) === undefined);
  const missing = absent();
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map((name) => needs[name]))];
  let why;
  if (findCommand('apt-get') === undefined) why = 'there is no apt-get here';
  else if (process.getuid?.() !== 0) why = 'only root may install packages';
  else {
    console.error(`installing ${packages.join(', ')} (Debian packages)`);
    const log = install(packages);
    if (log !== undefined) why = `apt-get failed:\n${log.trim().split('\n').slice(-15).join('\n')}`;
    else if (absent().length > 0) why = 'the packages did not bring it';
    else return undefined;
  }
  return [
    `Missing: ${missing.join(', ')}. It could not be installed: ${why}`,
    'Ways to get it:',
    `  - on Debian or Ubuntu, as root: apt-get update && apt-get install -y ${packages.join(' ')}`,
    ...missing.filter((name) => WAYS[name]).map((name) => `  - ${name}: ${WAYS[name]}`),
  ].join('\n');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const purpose = process.argv.find((arg) => arg.startsWith('--for='))?.slice('--for='.length);
  const problem = ensureSystem(purpose);
  if (problem !== undefined) {
    console.error(problem);
    process.exitCode = 1;
  }
}
