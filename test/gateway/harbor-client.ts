import { z } from 'zod';

/** How an instance of Harbor is told to log in. */
export type HarborLogin =
  | { readonly mode: 'NONE' }
  | { readonly mode: 'BASIC'; readonly username: string; readonly password: string }
  | { readonly mode: 'CUSTOM'; readonly key: string; readonly value: string }
  | { readonly mode: 'OAUTH'; readonly token: string };

/** What Harbor decodes an answer into: Go fails on a number that is none, or a time that is not RFC 3339. */
const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/);
const success = z.object({ url: z.string(), hostname: z.string(), ip: z.string() });
const answerSchema = z.object({
  id: z.int().min(0),
  created_at: time,
  updated_at: time,
  state: z.string(),
  result: z.object({
    job_states: z.array(
      z.object({
        error: z.string(),
        results: z.array(
          z.object({
            success_tasks: z.array(success),
            failure_tasks: z.array(success.extend({ description: z.string() })),
            scheduler_cluster_id: z.int().min(0),
          }),
        ),
      }),
    ),
  }),
});
export type HarborAnswer = z.infer<typeof answerSchema>;

/** What is preheated, as Harbor's policies and its registry say it. */
export interface HarborImage {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly scope: string;
  /** `image` unless told otherwise. */
  readonly type?: 'file';
}

/** Speaks as Harbor's provider `dragonfly` does: its requests, and how it takes the answers. */
export class HarborClient {
  readonly #endpoint: string;
  readonly #login: HarborLogin;

  constructor(endpoint: string, login: HarborLogin) {
    this.#endpoint = endpoint.replace(/\/$/, '');
    this.#login = login;
  }

  /** Fails unless the provider is healthy. */
  async health(): Promise<void> {
    await this.#send('GET', '/healthy');
  }

  async preheat({ url, headers, scope, type }: HarborImage): Promise<HarborAnswer> {
    const args = {
      ...{ type: type ?? 'image', url, tag: '', filtered_query_params: '', headers, scope },
      ...{ concurrent_count: 0, timeout: 0 },
    };
    const text = await this.#send('POST', '/oapi/v1/jobs', {
      type: 'preheat',
      args,
      scheduler_cluster_ids: null,
    });
    return answerSchema.parse(JSON.parse(text));
  }

  async progress(id: number): Promise<HarborAnswer> {
    return answerSchema.parse(JSON.parse(await this.#send('GET', `/oapi/v1/jobs/${id}`)));
  }

  async #send(method: string, path: string, body?: unknown): Promise<string> {
    const headers: Record<string, string> = { accept: 'application/json', ...this.#authorization() };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(`${this.#endpoint}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await answer.text();
    if (Math.floor(answer.status / 100) !== 2) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    if (answer.status === 208) throw new Error('already reported');
    return text;
  }

  #authorization(): Record<string, string> {
    const login = this.#login;
    if (login.mode === 'NONE') return {};
    if (login.mode === 'CUSTOM') return { [login.key]: login.value };
    if (login.mode === 'OAUTH') return { authorization: `Bearer ${login.token}` };
    const pair = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  }
}
