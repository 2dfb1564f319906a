import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  choosePlatform,
  formatPlatform,
  machinePlatform,
  type Platform,
  parsePlatform,
} from '../../core/oci-platform.ts';

describe('a platform', () => {
  test.each([
    ['linux/amd64', 'linux/amd64'],
    ['Linux/x86_64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm', 'linux/arm'],
    ['linux/arm/7', 'linux/arm'],
    ['linux/armhf', 'linux/arm'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['windows/amd64', 'windows/amd64'],
    ['macos/arm64', 'darwin/arm64'],
  ])('%s is %s', (text, plain) => {
    expect(formatPlatform(parsePlatform(text))).toBe(plain);
  });

  test.each([
    '',
    'linux',
    'linux/',
    '/amd64',
    'linux/amd64/',
    'a/b/c/d',
    'linux/am d64',
    `linux/${'a'.repeat(40)}`,
  ])('%j is refused', (text) => {
    expect(() => parsePlatform(text)).toThrow('not a platform');
  });

  test('of a machine comes from the words of Node', () => {
    expect(formatPlatform(machinePlatform('linux', 'x64'))).toBe('linux/amd64');
    expect(formatPlatform(machinePlatform('linux', 'arm64'))).toBe('linux/arm64');
    expect(formatPlatform(machinePlatform('linux', 'arm'))).toBe('linux/arm');
    expect(formatPlatform(machinePlatform('linux', 'ia32'))).toBe('linux/386');
    expect(formatPlatform(machinePlatform('linux', 'ppc64'))).toBe('linux/ppc64le');
    expect(formatPlatform(machinePlatform('linux', 's390x'))).toBe('linux/s390x');
    expect(formatPlatform(machinePlatform('darwin', 'arm64'))).toBe('linux/arm64');
    expect(formatPlatform(machinePlatform('win32', 'x64'))).toBe('windows/amd64');
  });
});

describe('of what an index offers', () => {
  const offer = (...names: string[]) =>
    names.map((name) => ({ name, ...(name !== 'any' && { platform: parsePlatform(name) }) }));
  const chosen = (wanted: string, ...names: string[]) =>
    choosePlatform(offer(...names), parsePlatform(wanted))?.name;

  test('the same is taken, wherever it stands', () => {
    expect(chosen('linux/arm64', 'linux/amd64', 'linux/arm/v7', 'linux/arm64/v8')).toBe('linux/arm64/v8');
    expect(chosen('linux/amd64', 'windows/amd64', 'unknown/unknown', 'linux/amd64')).toBe('linux/amd64');
  });

  test('the latest variant that still runs there comes next, a later one never', () => {
    expect(chosen('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8')).toBe('linux/arm/v6');
    expect(chosen('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4')).toBe(
      'linux/amd64/v2',
    );
    expect(chosen('linux/amd64', 'linux/amd64/v2')).toBeUndefined();
    expect(chosen('linux/arm/v6', 'linux/arm')).toBeUndefined();
  });

  test('one without a platform is the last resort', () => {
    expect(chosen('linux/amd64', 'any', 'linux/amd64')).toBe('linux/amd64');
    expect(chosen('linux/amd64', 'any', 'linux/arm64')).toBe('any');
    expect(chosen('linux/amd64', 'linux/arm64', 'windows/amd64')).toBeUndefined();
    expect(chosen('linux/amd64')).toBeUndefined();
  });

  test('words nobody knows match only themselves', () => {
    const word = fc.constantFrom('linux', 'amd64', 'arm', 'v7', 'v9', 'x', 'constructor', '__proto__');
    const platform = fc.record({
      os: word,
      architecture: word,
      variant: fc.option(word, { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(platform), platform, (all: Platform[], wanted) => {
        const got = choosePlatform(
          all.map((one) => ({ platform: one })),
          wanted,
        );
        if (got === undefined) expect(all).not.toContainEqual(wanted);
        else expect(got.platform).toMatchObject({ os: wanted.os, architecture: wanted.architecture });
      }),
    );
  });
});
