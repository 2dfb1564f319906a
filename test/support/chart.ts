import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.ts';
import { MIB } from './files.ts';
import { type Blob, pushBlob } from './image.ts';

/** A chart of Helm, in a registry as an artifact. */
export interface Chart {
  /** Bytes of its blobs. */
  readonly bytes: number;
  /** Puts it into repositories, with its version as the tag. */
  push(url: string, repositories: readonly string[]): Promise<void>;
}

export const CHART_VERSION = '0.1.0';

/** Makes a chart of 2 MiB below `dir`, named as the last part of the repositories that it is for. */
export async function makeChart(dir: string, name: string): Promise<Chart> {
  const about = { apiVersion: 'v2', name, version: CHART_VERSION };
  mkdirSync(join(dir, name, 'files'), { recursive: true });
  writeFileSync(join(dir, name, 'Chart.yaml'), JSON.stringify(about));
  writeFileSync(join(dir, name, 'files/data'), randomBytes(2 * MIB));
  await run(['tar', '-C', dir, '-czf', join(dir, 'chart.tgz'), name]);
  writeFileSync(join(dir, 'config.json'), JSON.stringify(about));
  const [config, layer] = [blobOf(join(dir, 'config.json')), blobOf(join(dir, 'chart.tgz'))];
  const part = (kind: string, { digest, bytes }: Blob) => ({
    mediaType: `application/vnd.cncf.helm.${kind}`,
    digest,
    size: bytes,
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: part('config.v1+json', config),
    layers: [part('chart.content.v1.tar+gzip', layer)],
  };
  return {
    bytes: config.bytes + layer.bytes,
    async push(url, repositories) {
      for (const repository of repositories) {
        for (const blob of [config, layer]) await pushBlob(url, repository, blob);
        const { status } = await fetch(`${url}/v2/${repository}/manifests/${CHART_VERSION}`, {
          method: 'PUT',
          headers: { 'content-type': mediaType },
          body: JSON.stringify(manifest),
        });
        if (status !== 201) throw new Error(`the chart was answered ${status}`);
      }
    },
  };
}

function blobOf(file: string): Blob {
  const content = readFileSync(file);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  return { digest, bytes: content.length, file };
}
