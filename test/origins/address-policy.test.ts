import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressPolicy } from '../../origins/address-policy.ts';
import { plainAddress } from '../../origins/ip-address.ts';

const open = createAddressPolicy({ allowOrigin: [], onlyOrigin: false });
const hostOf = (url: string) => new URL(url).hostname;

describe('without any flag', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.255.255.254/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://0/',
    'http://0.0.0.0/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[0:0:0:0:0:ffff:127.0.0.1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://169.254.169.254/',
    'http://169.254.0.1/',
    'http://[::ffff:169.254.169.254]/',
    'http://[fe80::1]/',
    'http://[febf::1]/',
    'http://[fd00:ec2::254]/',
    'http://100.100.100.200/',
    'http://localhost/',
    'http://LOCALHOST./',
    'http://a.localhost/',
    'http://224.0.0.1/',
    'http://[ff02::1]/',
    'http://①②⑦.0.0.1/',
  ])('%s is refused', (url) => {
    expect(open.allowsHost(hostOf(url), 80)).toBe(false);
  });

  test.each([
    '10.0.0.1',
    '172.16.3.4',
    '192.168.1.1',
    '93.184.216.34',
    '2001:db8::1',
    'fd12:3456::1',
    '::ffff:10.0.0.1',
  ])('%s is open', (address) => {
    expect(open.allowsAddress('some.host', 80, address)).toBe(true);
  });

  test('an address that a harmless name resolves to is judged by itself', () => {
    expect(open.allowsHost('evil.example', 80)).toBe(true);
    expect(open.allowsAddress('evil.example', 80, '127.0.0.1')).toBe(false);
    expect(open.allowsAddress('evil.example', 80, 'fe80::1%eth0')).toBe(false);
    expect(open.allowsAddress('evil.example', 80, 'not an address')).toBe(false);
  });
});

describe('what is named', () => {
  const policy = createAddressPolicy({
    allowOrigin: ['localhost:8080', '127.0.0.2', '169.254.10.0/24', '[::1]:9000', 'Registry.Example'],
    onlyOrigin: false,
  });

  test('is open on its port and not on others', () => {
    expect(policy.allowsHost('localhost', 8080)).toBe(true);
    expect(policy.allowsAddress('localhost', 8080, '127.0.0.1')).toBe(true);
    expect(policy.allowsHost('localhost', 8081)).toBe(false);
    expect(policy.allowsAddress('other.name', 8080, '127.0.0.1')).toBe(false);
    expect(policy.allowsHost('[::1]', 9000)).toBe(true);
    expect(policy.allowsHost('[::1]', 80)).toBe(false);
  });

  test('is open by address and by network, in every spelling', () => {
    expect(policy.allowsHost('127.0.0.2', 1)).toBe(true);
    expect(policy.allowsHost('[::ffff:127.0.0.2]', 1)).toBe(true);
    expect(policy.allowsHost('127.0.0.3', 1)).toBe(false);
    expect(policy.allowsAddress('x', 1, '169.254.10.77')).toBe(true);
    expect(policy.allowsAddress('x', 1, '169.254.11.77')).toBe(false);
  });

  test('is all that is open with onlyOrigin', () => {
    const only = createAddressPolicy({ allowOrigin: ['registry.example', '10.1.0.0/16'], onlyOrigin: true });
    expect(only.allowsHost('Registry.Example.', 443)).toBe(true);
    expect(only.allowsAddress('registry.example', 443, '203.0.113.5')).toBe(true);
    expect(only.allowsAddress('other.example', 443, '203.0.113.5')).toBe(false);
    expect(only.allowsAddress('other.example', 443, '10.1.2.3')).toBe(true);
    expect(only.allowsHost('10.2.0.1', 443)).toBe(false);
    const names = createAddressPolicy({ allowOrigin: ['registry.example'], onlyOrigin: true });
    expect(names.allowsHost('other.example', 443)).toBe(false);
  });

  test.each([
    '',
    'a b',
    'host:0',
    'host:70000',
    '10.0.0.0/33',
    '::/129',
    'http://x',
    'u@h',
    '[nonsense]:1',
    'x/8',
    'a:b:c',
  ])('%j is no origin to name', (text) => {
    expect(() => createAddressPolicy({ allowOrigin: [text], onlyOrigin: false })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }),
    );
  });
});

test('every IPv6 spelling of an IPv4 address is that address', () => {
  fc.assert(
    fc.property(
      fc.ipV4(),
      fc.constantFrom('::ffff:', '0:0:0:0:0:ffff:', '64:ff9b::', '::ffff:0:'),
      (v4, prefix) => {
        expect(plainAddress(`${prefix}${v4}`)).toEqual({ address: v4, family: 'ipv4' });
      },
    ),
  );
});

test('any text is judged without a throw, and loopback is never open', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6(), fc.ipV4()), (text) => {
      open.allowsHost(text, 80);
      const plain = plainAddress(text);
      if (plain?.family === 'ipv4' && plain.address.startsWith('127.')) {
        expect(open.allowsAddress('x', 80, text)).toBe(false);
      }
    }),
  );
});
