#!/usr/bin/env node
/*
 * Sums suites of vitest:  node scripts/sum-results.mjs FOLDER [FAILED-STEPS]
 * The folder holds NAME.exit (its exit code) and NAME.json (of vitest's JSON reporter) of each suite.
 * Prints "N passed, N failed"; fails where anything failed or was skipped, or nothing ran.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const [folder = '.', failedSteps = '0'] = process.argv.slice(2);
const MESSAGE_LINES = 12;
let passed = 0;
let failed = Number(failedSteps);

function fail(what) {
  failed += 1;
  console.log(what);
}

/** The message and where it was thrown: what is read first of a log whose middle is cut. */
function briefly(message) {
  return message
    .split('\n')
    .slice(0, MESSAGE_LINES)
    .map((line) => `  ${line}`)
    .join('\n');
}

function count(name) {
  const file = join(folder, `${name}.json`);
  const before = failed;
  const { testResults } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { testResults: [] };
  for (const { assertionResults, status, name: path, message } of testResults) {
    if (status === 'failed' && assertionResults.length === 0) fail(`failed: ${path}: ${message}`);
    for (const test of assertionResults) {
      if (test.status === 'passed') passed += 1;
      else fail([`${test.status}: ${test.fullName}`, ...test.failureMessages.map(briefly)].join('\n'));
    }
  }
  // An error outside any test fails the run and no test.
  const code = readFileSync(join(folder, `${name}.exit`), 'utf8').trim();
  if (code !== '0' && failed === before) fail(`failed: ${name} ended with exit code ${code}`);
}

for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.exit'))) {
  count(basename(name, '.exit'));
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
