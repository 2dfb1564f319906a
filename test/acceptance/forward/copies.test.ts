import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Copies } from '../../support/copies.ts';
import { freePort } from '../../support/free-port.ts';
import { type Swarm, startSwarm } from '../../support/swarm.ts';
import { folder, hashOf, MIB, type Taker } from './taker.ts';
import { downloaders } from './takers/downloaders.ts';
import { gitLfs, gitOverHttps } from './takers/git.ts';
import { goModules } from './takers/go-modules.ts';
import { hub } from './takers/hub.ts';
import { apt, npm, pip } from './takers/packages.ts';
import { startWeb, type Web } from './web.ts';

const TAKERS: readonly Taker[] = [...downloaders, pip, npm, apt, gitOverHttps, goModules, gitLfs, hub];
/** Through whom each takes its content, one after the other. */
const TIMES = { first: 'peer1', second: 'peer1', 'other host': 'peer2', 'third host': 'peer3' } as const;

const copies = new Copies(Object.keys(TIMES));
let dir: string;
let web: Web;
let swarm: Swarm;
let tlsPort: number;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shoal-takers-'));
  web = await startWeb();
  tlsPort = await freePort('0.0.0.0');
  const hostFlags = ['--allow-origin', hostname(), '--connect-port', String(tlsPort)];
  swarm = await startSwarm({ peers: 3, dir: join(dir, 'swarm'), hostFlags });
});
afterAll(async () => {
  process.stdout.write(`\ncopies of the origin, through the forward proxy\n${copies}\n\n`);
  await swarm[Symbol.asyncDispose]();
  await web[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

test.each(TAKERS.map((taker) => [taker.name, taker] as const))(
  '%s takes its content by the proxies of three hosts: one copy leaves the origin',
  async (name, taker) => {
    const own = folder(dir, name.replaceAll(/\W/g, ''));
    const wanted = await taker.prepare({ web, dir: own, tlsPort });
    if (wanted === undefined) return;
    const { content, index, isTunnel = false, isSigned = false } = wanted;
    const most = (time: string) => {
      if (time === 'first' || isTunnel) return 1.02;
      return isSigned && time !== 'second' ? MIB / content.length + 0.001 : 0.001;
    };
    try {
      let before = 0;
      for (const [time, host] of Object.entries(TIMES)) {
        const out = join(own, time);
        mkdirSync(out);
        const came = await wanted.take(`http://127.0.0.1:${swarm.proxyPortOf(host)}`, out);
        expect(hashOf(came)).toBe(hashOf(content));
        const copy = (wanted.sent() - before) / content.length;
        before = wanted.sent();
        copies.note(name, time, copy);
        expect(copy, `${name}, ${time}`).toBeLessThanOrEqual(most(time));
      }
      if (index === undefined) return;
      expect(web.vias(index).length).toBeGreaterThanOrEqual(Object.keys(TIMES).length);
      expect(web.vias(index).every((via) => via?.includes('shoal-'))).toBe(true);
    } finally {
      await wanted[Symbol.asyncDispose]?.();
    }
  },
);
