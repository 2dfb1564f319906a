import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { renderings } from '../../scripts/chart.ts';
import { ROOT } from '../support/child.ts';

const containerSchema = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()).default([]),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).default([]),
  securityContext: z.looseObject({
    privileged: z.boolean().default(false),
    readOnlyRootFilesystem: z.boolean(),
    capabilities: z.object({ drop: z.array(z.string()) }).optional(),
  }),
  lifecycle: z.record(z.string(), z.object({ exec: z.object({ command: z.array(z.string()) }) })).default({}),
});

const podSchema = z.looseObject({
  enableServiceLinks: z.boolean(),
  automountServiceAccountToken: z.boolean(),
  hostNetwork: z.boolean().default(false),
  hostPID: z.boolean().default(false),
  securityContext: z.looseObject({ runAsUser: z.number(), runAsNonRoot: z.boolean().default(false) }),
  initContainers: z.array(containerSchema).default([]),
  containers: z.array(containerSchema),
  volumes: z.array(z.looseObject({ secret: z.looseObject({ secretName: z.string() }).optional() })),
});

const objectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  rules: z.array(z.looseObject({ resourceNames: z.array(z.string()).optional() })).optional(),
  spec: z.unknown().optional(),
});

export type RenderedContainer = z.infer<typeof containerSchema>;
export type RenderedObject = z.infer<typeof objectSchema>;

/** A pod of a rendering, or of what makes pods. */
export interface RenderedPod {
  /** As `default.yaml DaemonSet/shoal-host`. */
  readonly where: string;
  readonly component: string;
  readonly pod: z.infer<typeof podSchema>;
}

/** The objects of every rendering that is kept, by the values that it is of. */
export function renderedObjects(): ReadonlyMap<string, readonly RenderedObject[]> {
  return new Map(
    renderings().map(({ values, kept }) => {
      const documents = parseAllDocuments(readFileSync(join(ROOT, kept), 'utf8'));
      const objects = documents.map((document) => document.toJS()).filter((object) => object !== null);
      return [values, objects.map((object) => objectSchema.parse(object))];
    }),
  );
}

/** Every pod of every rendering. */
export function renderedPods(): RenderedPod[] {
  return [...renderedObjects()].flatMap(([values, objects]) =>
    objects.flatMap(({ kind, metadata, spec }) => {
      const made = z.object({ template: z.object({ spec: z.unknown() }) }).safeParse(spec).data;
      const pod = kind === 'Pod' ? spec : made?.template.spec;
      if (pod === undefined) return [];
      const component = metadata.labels['app.kubernetes.io/component'] ?? '';
      // Kubernetes' own default.
      const read = podSchema.parse({ volumes: [], ...(pod as object) });
      return [{ where: `${values.split('/').at(-1)} ${kind}/${metadata.name}`, component, pod: read }];
    }),
  );
}
