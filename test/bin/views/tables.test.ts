import { expect, test } from 'vitest';
import { tableText } from '../../../bin/views/tables.ts';

test('columns stand apart by two spaces, as wide as what is seen of their cells', () => {
  const rows = [
    ['hällo 日本', '12', ''],
    ['', '1234 MiB', 'a  b'],
  ];
  expect(tableText(['NAME', 'SIZE', 'X'], rows, [1])).toBe(
    ['NAME            SIZE  X', 'hällo 日本        12', '            1234 MiB  a  b', ''].join('\n'),
  );
  expect(tableText(['NAME', 'SIZE'], [])).toBe('NAME  SIZE\n');
});

test('control characters of other hosts do not reach the terminal', () => {
  expect(tableText(['A'], [['\u001b[31m\nx']])).toBe('A\n?[31m?x\n');
});
