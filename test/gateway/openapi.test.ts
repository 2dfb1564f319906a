import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { gatewayScene } from './scene.ts';

interface ApiDocument {
  readonly openapi: string;
  readonly paths: Record<
    string,
    Record<string, { operationId: string; responses: object; security?: object[] }>
  >;
  readonly components: { readonly schemas: Record<string, object> };
}

test('the document is OpenAPI 3.1 in itself: every operation has a name of its own, every reference leads somewhere', async () => {
  await using scene = await gatewayScene();
  const answer = await scene.app.inject('/openapi.json');
  expect(answer.statusCode).toBe(200);
  const document: ApiDocument = answer.json();
  expect(document.openapi).toBe('3.1.0');
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  expect(operations.length).toBeGreaterThan(20);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { responses } of operations) expect(Object.keys(responses)).toEqual(['200', '4XX', '5XX']);
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(document, 'api');
  for (const name of Object.keys(document.components.schemas))
    ajv.compile({ $ref: `api#/components/schemas/${name}` });
  for (const [, ref] of answer.body.matchAll(/"\$ref":"([^"]*)"/g)) {
    expect(ref).toMatch(/^#\/components\/schemas\//);
    ajv.compile({ $ref: `api${ref}` });
  }
});

test('the page to try it loads nothing from elsewhere, and its policy lets its own script run', async () => {
  await using scene = await gatewayScene();
  const { body, headers, statusCode } = await scene.app.inject('/try');
  expect(statusCode).toBe(200);
  expect(String(headers['content-security-policy'])).toMatch(/script-src 'sha256-.+'; style-src 'sha256-/);
  expect(body).not.toMatch(/https?:\/\//);
  const [, script = ''] = /<script>([\s\S]*)<\/script>/.exec(body) ?? [];
  expect(() => new Function(script)).not.toThrow();
});
