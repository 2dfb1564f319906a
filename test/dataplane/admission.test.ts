import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAdmission } from '../../dataplane/admission.ts';
import { formatAuthorization } from '../../dataplane/authorization.ts';
import { mintToken } from '../../dataplane/membership-token.ts';
import { importSigningKey, keyIdOf, newSigningKey, verifySignature } from '../../dataplane/signing-key.ts';
import { admissionOf, membersOf, newMember, randomHostId, realWall, SWARM, scheduler } from './fixture.ts';

const HOUR = 3_600_000;
const parent = randomHostId();
const now = 1_800_000_000_000;

function judge(header: string | undefined, world: { nowMs?: number; isolated?: boolean } = {}) {
  const asked: string[] = [];
  const admit = createAdmission({
    swarm: SWARM,
    selfHostId: parent,
    keys: () => new Map([[scheduler.keyId, scheduler.publicKey]]),
    clock: { wall: () => world.nowMs ?? now },
    isolated: () => world.isolated ?? false,
    onUnknownKey: (keyId) => asked.push(keyId),
  });
  return { ...admit.byProof(header), asked };
}

function headerOf(member = newMember({ expMs: now + HOUR }), to = parent, timeMs = now): string {
  return formatAuthorization(member.identity, member.token, to, timeMs);
}

describe('a request', () => {
  test('of a member is admitted under its host id', () => {
    const member = newMember({ expMs: now + HOUR });
    expect(judge(headerOf(member))).toMatchObject({ kind: 'admitted', hostId: member.hostId });
  });

  test('without credentials is denied', () => {
    expect(judge(undefined).kind).toBe('denied');
    expect(judge('').kind).toBe('denied');
  });

  test('with an expired token is denied, after a minute of leeway', () => {
    const member = newMember({ expMs: now });
    const at = (nowMs: number, isolated = false) =>
      judge(headerOf(member, parent, nowMs), { nowMs, isolated }).kind;
    expect(at(now + 60_000)).toBe('admitted');
    expect(at(now + 60_001)).toBe('denied');
    expect(at(now + 60_000 + HOUR, true)).toBe('admitted');
    expect(at(now + 60_001 + HOUR, true)).toBe('denied');
  });

  test('with a proof of more than a minute ago or ahead is denied', () => {
    const member = newMember({ expMs: now + HOUR });
    for (const [timeMs, kind] of [
      [now - 60_000, 'admitted'],
      [now + 60_000, 'admitted'],
      [now - 60_001, 'denied'],
      [now + 60_001, 'denied'],
      [now - HOUR, 'denied'],
    ] as const) {
      expect(judge(headerOf(member, parent, timeMs)).kind).toBe(kind);
    }
  });

  test('with a proof made for another parent is denied', () => {
    expect(judge(headerOf(undefined, randomHostId())).kind).toBe('denied');
  });

  test('with the token of another host, whose key it lacks, is denied', () => {
    const owner = newMember({ expMs: now + HOUR });
    const thief = { ...newMember({ expMs: now + HOUR }), token: owner.token };
    expect(judge(headerOf(thief)).kind).toBe('denied');
  });

  test('with a token of another swarm is denied', () => {
    expect(judge(headerOf(newMember({ swarm: 'elsewhere', expMs: now + HOUR }))).kind).toBe('denied');
  });

  test('with a token signed by an unknown scheduler is told so, and the key asked for', () => {
    const stranger = newSigningKey();
    const member = newMember();
    const { publicKey } = member.identity;
    const token = mintToken(stranger, { hostId: member.hostId, publicKey, swarm: SWARM, expMs: now });
    const verdict = judge(headerOf({ ...member, token }));
    expect(verdict).toEqual({ kind: 'key-unknown', keyId: stranger.keyId, asked: [stranger.keyId] });
  });

  test('with a token that a member signed, naming a scheduler, is denied', () => {
    const forger = newSigningKey();
    const claims = { hostId: randomHostId(), publicKey: forger.publicKey, swarm: SWARM, expMs: now + HOUR };
    const token = mintToken({ ...forger, keyId: scheduler.keyId }, claims);
    const verdict = judge(formatAuthorization(forger, token, parent, now));
    expect(verdict.kind).toBe('denied');
  });

  test('is never admitted once any bit of its credentials was flipped', () => {
    const header = headerOf();
    for (let at = 0; at < header.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const flipped = String.fromCharCode(header.charCodeAt(at) ^ (1 << bit));
        const verdict = judge(header.slice(0, at) + flipped + header.slice(at + 1));
        expect(verdict.kind, `bit ${bit} of ${at}`).not.toBe('admitted');
      }
    }
  });

  test('is never admitted once its credentials were cut, doubled or spaced', () => {
    const header = headerOf();
    for (let at = 0; at < header.length; at += 1) expect(judge(header.slice(0, at)).kind).toBe('denied');
    for (const odd of [` ${header}`, `${header} `, header.replace(' ', '  '), `${header}, ${header}`]) {
      expect(judge(odd).kind).toBe('denied');
    }
  });

  test('with garbage is denied without a throw', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((text) => `Shoal ${text}`),
      fc
        .tuple(fc.jsonValue(), fc.uint8Array({ minLength: 64, maxLength: 64 }))
        .map(([json, mark]) => [
          Buffer.from(JSON.stringify(json)).toString('base64url'),
          Buffer.from(mark).toString('base64url'),
        ])
        .map(([payload, mark]) => `Shoal ${payload}.${mark} ${now} ${mark}`),
    );
    fc.assert(fc.property(texts, (text) => judge(text).kind === 'denied'));
  });
});

test('every member is admitted, whatever its swarm is called', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), (swarm) => {
      fc.pre(swarm.length <= 128);
      const member = newMember({ swarm });
      const admit = createAdmission({
        swarm,
        selfHostId: parent,
        keys: () => new Map([[scheduler.keyId, scheduler.publicKey]]),
        clock: realWall,
        isolated: () => false,
        onUnknownKey: () => {},
      });
      return admit.byProof(headerOf(member, parent, Date.now())).kind === 'admitted';
    }),
    { numRuns: 30 },
  );
});

test('a token stays well below its bound in a message', () => {
  expect(newMember({ swarm: 'x'.repeat(128) }).token.length).toBeLessThan(1000);
  expect(admissionOf(parent).byProof(undefined).kind).toBe('denied');
});

test('a key survives being stored', () => {
  const key = newSigningKey();
  const again = importSigningKey(key.toPkcs8());
  expect(again.publicKey).toEqual(key.publicKey);
  expect(again.keyId).toBe(keyIdOf(key.publicKey));
  const message = Buffer.from('a message');
  expect(verifySignature(key.publicKey, message, again.sign(message))).toBe(true);
  expect(verifySignature(newSigningKey().publicKey, message, again.sign(message))).toBe(false);
});

test('a stored key that is damaged is refused with a code', () => {
  for (const bytes of [new Uint8Array(), new Uint8Array(48), newSigningKey().toPkcs8().subarray(1)]) {
    expect(() => importSigningKey(bytes)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
  }
});

test('no bytes make the check of a signature throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 70 }), (key, mark) => {
      return verifySignature(key, new Uint8Array(3), mark) === false;
    }),
  );
});

test('while members change to another time, a proof of either is taken, each once', () => {
  const ahead = Date.now() + HOUR;
  let walls: readonly [number, ...number[]] = [Date.now()];
  const admit = createAdmission({ ...membersOf(), selfHostId: parent, walls: () => walls });
  const member = newMember();
  const judged = (timeMs: number) => admit.byProof(headerOf(member, parent, timeMs));
  expect(judged(ahead).kind).toBe('denied');
  walls = [Date.now(), ahead];
  for (const timeMs of walls) {
    expect(judged(timeMs).kind).toBe('admitted');
    expect(judged(timeMs)).toEqual({ kind: 'denied', why: 'proof seen before' });
  }
});
