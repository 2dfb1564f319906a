import { describe, expect, test } from 'vitest';
import { SHOAL, startCommand } from '../support/child.ts';

const SMALL = ['sim', '--hosts', '6', '--size', '8MiB', '--up', '50Mbit'];

const shoal = (...args: string[]) => startCommand([...SHOAL, ...args]).done;

describe('shoal sim', () => {
  test('tells how near to the bound a swarm comes, and the same again as JSON', async () => {
    const [text, json] = await Promise.all([shoal(...SMALL), shoal(...SMALL, '--json')]);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^done: +6 of 6$/m);
    expect(text.stdout).toMatch(/^of the bound: +0\.\d{3}$/m);
    expect(JSON.parse(json.stdout)).toMatchObject({ hosts: 6, pieces: 64, done: 6, copies: 1, broken: [] });
    for (const line of text.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('plays many seeds; a trace is of one history, line by line', async () => {
    const many = await shoal(...SMALL, '--seeds', '3', '--lie', '20%');
    expect(many).toMatchObject({ code: 0, stdout: '3 seeds, 0 with a broken rule\n' });
    const traced = await shoal(...SMALL, '--trace');
    expect(traced.stderr).toMatch(/^\d+\.\d host-\d arrives$/m);
    expect(traced.stderr.match(/has all$/gm)).toHaveLength(6);
  });

  test('a seed with a broken rule ends with exit code 1, and prints the line that plays it again', async () => {
    // An origin so slow that hosts which die took with them what it has to give once more.
    const args = ['--hosts', '2', '--size', '1MiB', '--latency', '20s'];
    const broken = await shoal('sim', ...args);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toContain('broken rule');
    const [, line = ''] = /play it again: shoal (sim .+) --trace/.exec(broken.stderr) ?? [];
    const again = await shoal(...line.split(' '));
    expect(again.code).toBe(1);
    const figures = (text: string) => text.replace(/^(scheduler|simulated in):.*$/gm, '');
    expect(figures(again.stdout)).toBe(figures(broken.stdout));
  });

  test.each([
    ['--hosts', '0'],
    ['--hosts', '1e3'],
    ['--hosts', '20001'],
    ['--size', '0'],
    ['--size', 'big'],
    ['--up', '0Mbit'],
    ['--piece', '1B'],
    ['--piece', '1GiB'],
    ['--latency', '-1ms'],
    ['--slow', '101%'],
    ['--die', 'half'],
    ['--lie', '2'],
    ['--zones', '0'],
    ['--seed', '-1'],
    ['--sync-cost', '1us'],
  ])('%s %s is refused', async (flag, value) => {
    const ran = await shoal('sim', `${flag}=${value}`);
    expect(ran.code).toBe(2);
    expect(ran.stdout).toBe('');
  });
});
