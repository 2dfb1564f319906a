import { expect, test } from 'vitest';
import { measureNetlab, type NetlabReport } from '../../bench/netlab-run.ts';
import { MIB } from '../support/files.ts';

async function measure(hosts: number): Promise<NetlabReport> {
  const report = await measureNetlab({
    hosts,
    rate: '50mbit',
    bytes: 128 * MIB,
    runs: 3,
    digest: false,
    onRun: (run) =>
      console.log(
        `  ${hosts} hosts: curl ${run.curlSeconds.toFixed(2)} s, last file ${run.makespanSeconds.toFixed(2)} s (${run.ratio.toFixed(3)}), median host ${run.medianRatio.toFixed(3)}, origin ${run.originCopies.toFixed(4)} copies`,
      ),
  });
  console.log(`  ${hosts} hosts: median of the runs ${report.ratio.toFixed(3)} of one curl`);
  return report;
}

// The marks are 1.10 and 1.15 on a machine that is not short of CPU; a shared one with two cores, which emulates all
// hosts and their links, is held to what no change may worsen.
test('eight hosts at once have the last file in 1.25 of the time of one curl', async () => {
  const report = await measure(8);
  expect(report.ratio).toBeLessThanOrEqual(1.25);
  expect(report.originCopies).toBeLessThanOrEqual(1.01);
}, 900_000);

test('sixteen hosts at once have the last file in 1.40 of the time of one curl', async () => {
  const report = await measure(16);
  expect(report.ratio).toBeLessThanOrEqual(1.4);
  expect(report.originCopies).toBeLessThanOrEqual(1.01);
}, 900_000);
