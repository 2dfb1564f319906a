#!/usr/bin/env node
/*
 * Sums the results of vitest's JSON reporter:  node scripts/sum-results.mjs FOLDER [FAILED-STEPS]
 * Prints "N passed, N failed"; fails where anything failed or was skipped, or nothing ran.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder = '.', failedSteps = '0'] = process.argv.slice(2);
let passed = 0;
let failed = Number(failedSteps);
for (const name of readdirSync(folder)) {
  const { testResults } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  for (const file of testResults) {
    if (file.status === 'failed' && file.assertionResults.length === 0) {
      failed += 1;
      console.log(`failed: ${file.name}: ${String(file.message).split('\n')[0]}`);
    }
    for (const test of file.assertionResults) {
      if (test.status === 'passed') {
        passed += 1;
        continue;
      }
      failed += 1;
      console.log(`${test.status}: ${test.fullName}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
