import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRules, parseRules } from '../../../proxy/forward/rules.ts';

const HEX = 'ab'.repeat(32);
const use = (url: string, own: unknown = [], method = 'GET') =>
  createRules(parseRules(own)).choose(method, new URL(url)).use;

describe('the default rules', () => {
  test.each([
    `https://registry.example/v2/library/nginx/blobs/sha256:${HEX}`,
    'http://deb.debian.org/debian/pool/main/c/curl/curl_7.88.1-10_amd64.deb',
    'http://deb.debian.org/debian/pool/main/c/curl/curl_7.88.1.orig.tar.gz',
    `http://deb.debian.org/debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/${HEX}`,
    'https://files.pythonhosted.org/packages/aa/bb/cc/numpy-2.0.0-cp312-cp312-linux_x86_64.whl',
    'https://files.pythonhosted.org/packages/aa/bb/cc/numpy-2.0.0.tar.gz',
    'https://registry.npmjs.org/react/-/react-19.0.0.tgz',
    'https://registry.npmjs.org/@types/node/-/node-20.0.0.tgz',
    `https://lfs.example/owner/repo.git/info/lfs/objects/${HEX}`,
    `https://lfs.example/objects/ab/ab/${HEX}`,
    `https://media.example/alambic/media/1/ab/${HEX}?X-Amz-Signature=1`,
    `https://cdn-lfs.example/repos/ab/cd/${HEX}/${HEX}?Signature=1&Key-Pair-Id=K`,
    'https://huggingface.co/org/model/resolve/main/model-00001-of-00002.safetensors?download=true',
    'https://cdimage.example/debian-13.iso',
    'https://static.crates.io/crates/serde/serde-1.0.0.crate',
  ])('take %s through the swarm', (url) => {
    expect(use(url)).toBe('swarm');
    expect(use(url, [], 'HEAD')).toBe('direct');
    expect(use(url, [], 'PUT')).toBe('direct');
  });

  test.each([
    'http://deb.debian.org/debian/dists/bookworm/InRelease',
    'http://deb.debian.org/debian/dists/bookworm/main/binary-amd64/Packages.xz',
    'http://mirror.example/repodata/primary.xml.gz',
    'https://pypi.org/simple/numpy/',
    'https://registry.npmjs.org/react',
    'https://registry.example/v2/library/nginx/manifests/latest',
    `https://registry.example/v2/library/nginx/manifests/sha256:${HEX}`,
    'https://registry.example/v2/library/nginx/blobs/uploads/',
    'https://api.example/objects/batch',
    'https://www.example/index.html',
    'https://www.example/whl',
  ])('leave %s alone', (url) => {
    expect(use(url)).toBe('direct');
  });
});

describe('rules of the operator', () => {
  test('stand before the default ones, and the first that matches wins', () => {
    const own = [
      { host: 'files.example', path: '^/private/', use: 'direct' },
      { host: 'files.example', use: 'swarm', filteredQuery: ['session'] },
    ];
    expect(use('http://files.example/private/a.iso', own)).toBe('direct');
    expect(use('http://files.example/anything', own)).toBe('swarm');
    expect(use('http://other.example/anything', own)).toBe('direct');
    expect(use('http://other.example/a.iso', own)).toBe('swarm');
    expect(createRules(parseRules(own)).choose('GET', new URL('http://files.example/x?session=1'))).toEqual({
      use: 'swarm',
      filteredQuery: ['session'],
    });
  });

  test('name hosts by glob, with or without a port, or by regular expression', () => {
    const rule = (host: string) => [{ host, use: 'swarm' }];
    expect(use('http://A.Example.com/x', rule('*.example.com'))).toBe('swarm');
    expect(use('http://a.example.com:8080/x', rule('*.example.com'))).toBe('swarm');
    expect(use('http://a.example.com:8080/x', rule('*.example.com:80'))).toBe('direct');
    expect(use('http://a.example.com/x', rule('*.example.com:80'))).toBe('swarm');
    expect(use('http://cache7.example/x', rule('/^cache[0-9]+\\.example:80$/'))).toBe('swarm');
    expect(use('http://[::1]:8080/x', rule('[::1]:8080'))).toBe('swarm');
  });

  test('tell which hosts are never looked into', () => {
    const rules = createRules(
      parseRules([
        { host: 'bank.example', use: 'direct' },
        { host: 'some.example', path: '^/api', use: 'direct' },
      ]),
    );
    expect(rules.mayUseSwarm('bank.example', 443)).toBe(false);
    expect(rules.mayUseSwarm('some.example', 443)).toBe(true);
    expect(createRules(parseRules([{ use: 'direct' }])).mayUseSwarm('any.example', 443)).toBe(false);
  });

  test('let a path longer than any go direct', () => {
    expect(use(`http://a.example/${'a'.repeat(5000)}.iso`)).toBe('direct');
  });

  test.each([
    ['text', 'not a list'],
    [[7], 'rule 1: not a rule'],
    [[{ use: 'p2p' }], 'rule 1: use is neither'],
    [[{ use: 'direct' }, { path: '(', use: 'swarm' }], 'rule 2: the pattern "(" is not'],
    [[{ regex: 'x', use: 'swarm' }], 'rule 1: there is no regex'],
    [[{ host: 'http://a', use: 'swarm' }], 'rule 1: host "http://a" is neither'],
    [[{ path: '^(a+)\\1$', use: 'swarm' }], 'rule 1: the pattern'],
    [[{ methods: ['POST'], use: 'swarm' }], 'rule 1: the swarm answers GET alone'],
    [[{ methods: ['get'], use: 'direct' }], 'rule 1: "get" is no method'],
    [[{ methods: [], use: 'direct' }], 'rule 1: methods is not a list'],
    [[{ filteredQuery: ['a'], use: 'direct' }], 'rule 1: filteredQuery says nothing'],
    [[{ host: '', use: 'direct' }], 'rule 1: host is not a text'],
    [Array.from({ length: 300 }, () => ({ use: 'direct' })), 'more than 256 rules'],
  ])('that are wrong are refused by name: %j', (rules, why) => {
    expect(() => parseRules(rules)).toThrow(why);
  });

  test('of any shape are taken or refused with ERR_CONFIG_INVALID', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          createRules(parseRules(value));
          createRules(parseRules([value]));
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
        }
      }),
    );
  });

  test('choose quickly among hundreds', () => {
    const rules = createRules(
      parseRules(
        Array.from({ length: 200 }, (_, index) => ({ path: `^/a${index}/.*\\.bin$`, use: 'swarm' })),
      ),
    );
    const url = new URL(`http://a.example/${'a/'.repeat(100)}file.html`);
    const started = process.cpuUsage();
    for (let round = 0; round < 100; round += 1) rules.choose('GET', url);
    expect(process.cpuUsage(started).user / 1000 / 100).toBeLessThan(20);
  });
});
