import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { makeNatsCertificate } from '../../../app/kubernetes/nats-certificate.ts';
import { render, renderings } from '../../../scripts/chart.ts';
import { ROOT, run } from '../../support/child.ts';
import { GO_INSTALL_MS, goClient, goProgram, sayMissing } from '../../support/go.ts';
import { natsServerPath } from '../../support/nats-server.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { madeOnce } from '../../support/test-cache.ts';

const CHECKER = join(ROOT, 'test/kubernetes/checker');
const HELM = 'helm.sh/helm/v3/cmd/helm@v3.22.0';

let helm: string | undefined;
let checker: string | undefined;
beforeAll(async () => {
  helm = await goClient('helm', HELM);
  const go = goProgram();
  if (go !== undefined) {
    const dir = await madeOnce('kubernetes-checker-v0.37.0-1', (place) =>
      run(
        [
          'env',
          'CGO_ENABLED=0',
          go,
          'build',
          '-C',
          CHECKER,
          '-buildvcs=false',
          '-o',
          join(place, 'checker'),
          '.',
        ],
        GO_INSTALL_MS,
      ),
    );
    checker = join(dir, 'checker');
  }
  if (helm === undefined) sayMissing('rendering the chart with helm');
  if (checker === undefined) sayMissing('decoding its objects by the types of Kubernetes');
}, GO_INSTALL_MS);

test('each set of values renders what is kept of it', () => {
  if (helm === undefined) return;
  for (const rendering of renderings()) {
    expect(render(helm, rendering), rendering.kept).toBe(readFileSync(join(ROOT, rendering.kept), 'utf8'));
  }
});

test('every object is what Kubernetes takes, and one field too many is not', async () => {
  if (checker === undefined) return;
  const kept = renderings().map((rendering) => join(ROOT, rendering.kept));
  const fine = await run([checker, ...kept]);
  expect(fine).toMatch(/^1\d\d objects decoded strictly, \d+ of other groups, 0 wrong$/m);
  await using dir = await tempDir();
  const wrong = join(dir.path, 'wrong.yaml');
  writeFileSync(
    wrong,
    readFileSync(kept[0] ?? '', 'utf8').replace('hostNetwork: true', 'hostNetworks: true'),
  );
  const refused = await run([checker, wrong]).catch((error: unknown) => String(error));
  expect(String(refused)).toContain('hostNetworks');
});

test('values that the schema does not know are refused, and so is a chart without an image', async () => {
  if (helm === undefined) return;
  const known = helm;
  await using dir = await tempDir();
  const rendered = (text: string) => () => {
    const values = join(dir.path, 'values.yaml');
    writeFileSync(values, text);
    return render(known, { values, kept: '' });
  };
  expect(rendered('image: { repository: a/b }\nhosts: {}')).toThrow(/hosts/);
  expect(rendered('{}')).toThrow(/image\.repository/);
});

test.each(['default', 'full'])('nats-server takes its configuration of %s', async (name) => {
  const text = readFileSync(join(ROOT, `test/kubernetes/golden/${name}.yaml`), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS());
  const config: string = objects.find((one) => one?.data?.['nats.conf'] !== undefined)?.data['nats.conf'];
  await using dir = await tempDir();
  mkdirSync(join(dir.path, 'nats'));
  const { ca, cert, key } = await makeNatsCertificate(['localhost'], Date.now());
  const files = {
    'ca.crt': ca,
    'tls.crt': cert,
    'tls.key': key,
    'auth.conf': 'accounts { shoal { jetstream: enabled } }\n',
  };
  for (const [file, content] of Object.entries(files)) writeFileSync(join(dir.path, 'nats', file), content);
  const path = join(dir.path, 'nats/nats.conf');
  writeFileSync(
    path,
    config.replaceAll('/etc/nats/', `${dir.path}/nats/`).replace('"/data"', `"${dir.path}/data"`),
  );
  const tried = `POD_NAME=shoal-nats-0 ${natsServerPath()} -t -c ${path} 2>&1`;
  expect(await run(['sh', '-c', tried])).toContain('is valid');
});
