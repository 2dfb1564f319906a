import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { huggingFaceHub } from '../../../support/python-package.ts';
import { hashOf, runWith, someContent, type Taker } from '../taker.ts';
import { startWeb } from '../web.ts';

const REPOSITORY = 'team/model';
const COMMIT = createHash('sha1').update('one').digest('hex');
const SCRIPT = `
import sys
from huggingface_hub import hf_hub_download
for name in ('config.json', 'model.safetensors'):
    print(hf_hub_download('${REPOSITORY}', name))
`;

/**
 * The Hugging Face client, from a hub that sends it with each HEAD to a store by another signed URL, under a name of the
 * store's own, as the public one does for large files.
 */
export const hub: Taker = {
  name: 'huggingface_hub',
  async prepare({ web }) {
    const program = await huggingFaceHub();
    const content = someContent();
    const sha = hashOf(content);
    const stored = `/repos/ab/cd/${hashOf(Buffer.from(REPOSITORY))}/${sha}`;
    const store = await startWeb();
    store.put(stored, content);
    const config = '{"model_type":"demo"}';
    const resolve = `/${REPOSITORY}/resolve/main`;
    web.answer(`${resolve}/config.json`, ({ method }, response) => {
      response.writeHead(200, {
        'content-length': config.length,
        'x-repo-commit': COMMIT,
        etag: `"${createHash('sha1').update(config).digest('hex')}"`,
      });
      response.end(method === 'HEAD' ? undefined : config);
    });
    let signatures = 0;
    web.answer(`${resolve}/model.safetensors`, (_, response) => {
      signatures += 1;
      const query = `response-content-type=&Expires=${signatures}&Signature=s${signatures}&Key-Pair-Id=K`;
      response.writeHead(302, {
        location: store.url(`${stored}?${query}`),
        'x-repo-commit': COMMIT,
        'x-linked-size': content.length,
        'x-linked-etag': `"${sha}"`,
      });
      response.end();
    });
    return {
      content,
      isSigned: true,
      index: `${resolve}/model.safetensors`,
      sent: () => store.sent(stored),
      async take(proxy, out) {
        const env = {
          PYTHONPATH: program,
          HF_ENDPOINT: web.url(''),
          HF_HOME: out,
          HF_HUB_DISABLE_XET: '1',
          HF_HUB_DISABLE_TELEMETRY: '1',
          HF_HUB_DISABLE_PROGRESS_BARS: '1',
          HTTP_PROXY: proxy,
          http_proxy: proxy,
        };
        const files = (await runWith(env, 'python3', '-c', SCRIPT)).trim().split('\n');
        return readFileSync(files.at(-1) ?? '');
      },
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  },
};
