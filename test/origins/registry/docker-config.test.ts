import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShoalError } from '../../../core/errors.ts';
import { findCredentials, normalHost, parseDockerConfig } from '../../../origins/registry/docker-config.ts';

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });

function users(value: unknown, host: string, repository = 'a/b', trusted = true) {
  const found = findCredentials(
    parseDockerConfig(JSON.stringify(value)),
    [normalHost(host, 443)],
    { repository },
    trusted,
  );
  return found.map((one) => {
    if (one.kind === 'helper') return `${one.helper} ${one.serverUrl}`;
    return one.credential.kind === 'login'
      ? `${one.credential.user}:${one.credential.password}`
      : one.credential.kind;
  });
}

describe("Docker's config.json", () => {
  test('gives the login of a registry however its key is written', () => {
    for (const key of [
      'quay.io',
      'https://quay.io',
      'https://quay.io/v1/',
      'https://quay.io/v2/',
      'quay.io:443',
      'QUAY.IO',
    ])
      expect(users({ auths: { [key]: auth('me:pw:with:colons') } }, 'quay.io')).toEqual([
        'me:pw:with:colons',
      ]);
    expect(users({ auths: { 'quay.io': { username: 'me', password: 'pw' } } }, 'quay.io')).toEqual(['me:pw']);
  });

  test('knows Docker Hub by all its names', () => {
    for (const key of ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io', 'registry-1.docker.io'])
      for (const host of ['registry-1.docker.io', 'docker.io'])
        expect(users({ auths: { [key]: auth('me:pw') } }, host)).toEqual(['me:pw']);
  });

  test('gives nothing to another host, another port, or a name that only ends alike', () => {
    const config = { auths: { 'quay.io': auth('me:pw'), 'r.lab:5000': auth('lab:pw') } };
    for (const host of [
      'evil-quay.io',
      'quay.io.evil.com',
      'sub.quay.io',
      'quay.io:8443',
      'r.lab',
      'r.lab:5001',
      '',
    ])
      expect(users(config, host)).toEqual([]);
  });

  test('prefers the namespace that is closest, as Podman does', () => {
    const config = {
      auths: {
        'quay.io': auth('all:pw'),
        'quay.io/a': auth('a:pw'),
        'quay.io/a/b': auth('ab:pw'),
        'quay.io/x': auth('x:pw'),
      },
    };
    expect(users(config, 'quay.io', 'a/b')).toEqual(['ab:pw']);
    expect(users(config, 'quay.io', 'a/bc')).toEqual(['a:pw']);
    expect(users(config, 'quay.io', 'ab')).toEqual(['all:pw']);
    expect(users({ auths: { 'quay.io/a': auth('a:pw') } }, 'quay.io', 'b')).toEqual([]);
  });

  test('asks the helper of a registry first, then the store, then the file', () => {
    const config = {
      auths: { 'quay.io': auth('me:pw'), 'gcr.io': {} },
      credHelpers: { 'gcr.io': 'gcloud', 'https://index.docker.io/v1/': 'hub' },
      credsStore: 'pass',
    };
    expect(users(config, 'gcr.io')).toEqual(['gcloud gcr.io', 'pass gcr.io']);
    expect(users(config, 'quay.io')).toEqual(['pass quay.io', 'me:pw']);
    expect(users(config, 'docker.io')).toEqual([
      'hub https://index.docker.io/v1/',
      'pass https://index.docker.io/v1/',
    ]);
  });

  test('gives to an address in the open only what its key says is for plain HTTP', () => {
    const config = {
      auths: { 'a.lab': auth('a:pw'), 'http://b.lab': auth('b:pw') },
      credHelpers: { 'c.lab': 'c' },
      credsStore: 's',
    };
    expect(users(config, 'a.lab', 'x', false)).toEqual([]);
    expect(users(config, 'b.lab', 'x', false)).toEqual(['b:pw']);
    expect(users(config, 'c.lab', 'x', false)).toEqual([]);
  });

  test('knows identity tokens and tokens for the registry itself', () => {
    expect(
      users(
        { auths: { 'a.io': { ...auth('00000000-0000-0000-0000-000000000000:'), identitytoken: 't' } } },
        'a.io',
      ),
    ).toEqual(['identity']);
    expect(users({ auths: { 'a.io': { registrytoken: 't' } } }, 'a.io')).toEqual(['bearer']);
    expect(users({ auths: { 'a.io': {}, 'b.io': { auth: '!!!' } } }, 'a.io')).toEqual([]);
  });

  test.each([
    '',
    'x',
    '[]',
    '{"auths":[]}',
    '{"auths":{"a":5}}',
    '{"credsStore":"../../bin/sh"}',
    '{"credHelpers":{"a":"x y"}}',
    '{"credHelpers":{"a":"-rf"}}',
  ])('that is %j is refused without being quoted', (text) => {
    expect(() => parseDockerConfig(text)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
  });

  test('of any JSON is read or refused, and names like __proto__ are names', () => {
    fc.assert(
      fc.property(fc.json(), fc.string(), (text, host) => {
        try {
          findCredentials(parseDockerConfig(text), [host], { repository: host }, true);
        } catch (error) {
          expect(error).toBeInstanceOf(ShoalError);
        }
      }),
    );
    expect(users(JSON.parse('{"auths":{"__proto__":{"auth":"bWU6cHc="}}}'), 'constructor')).toEqual([]);
  });
});
