// Pulls one image through the mirror of this node, as a container runtime does, and checks every digest.
import { createHash } from 'node:crypto';

const [mirror, image] = process.argv.slice(2);
const parts = /^([^/]+)\/(.+?)(?::([^:@/]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image);
if (parts === null) throw new Error(`${image}: give it as REGISTRY/REPOSITORY:TAG`);
const [, registry, repository, tag = 'latest', digest] = parts;
const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

async function read(path, wanted) {
  const answer = await fetch(`${mirror}/v2/${repository}/${path}?ns=${registry}`, { headers: { accept } });
  const hash = createHash('sha256');
  const chunks = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes < 4_000_000) chunks.push(chunk);
  }
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${Buffer.concat(chunks)}`);
  const found = `sha256:${hash.digest('hex')}`;
  if (wanted !== undefined && found !== wanted) throw new Error(`${path}: wrong bytes, ${found}`);
  process.stdout.write(`${found} ${bytes} bytes ${path}\n`);
  return Buffer.concat(chunks);
}

let manifest = JSON.parse(await read(`manifests/${digest ?? tag}`, digest));
if (manifest.manifests !== undefined) {
  const architecture = { x64: 'amd64' }[process.arch] ?? process.arch;
  const one = manifest.manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  if (one === undefined) throw new Error(`${image} is not there for ${architecture}`);
  manifest = JSON.parse(await read(`manifests/${one.digest}`, one.digest));
}
for (const blob of [manifest.config, ...manifest.layers]) await read(`blobs/${blob.digest}`, blob.digest);
process.stdout.write(`${image} was pulled through ${mirror}\n`);
