import { z } from 'zod';
import { parseImageReference } from '../base/index.ts';
import { parseDuration } from './duration.ts';
import { rule } from './rules.ts';

/** Group and version of every Slipway resource. */
export const GROUP = 'slipway.build';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}` as const;

/** Text with the maximum that every string of a resource must have (CEL cost, etcd size). */
export const text = (max: number, description: string) => z.string().max(max).describe(description);

export const list = <T extends z.ZodType>(item: T, max: number, description: string) =>
  z.array(item).max(max).describe(description);

/** A list whose items are told apart by these fields: server-side apply merges it, and no two are the same. */
export const listMap = <T extends z.ZodType<object>>(
  item: T,
  keys: readonly [string, ...string[]],
  max: number,
  description: string,
) => {
  const keyOf = (one: object) => JSON.stringify(keys.map((key) => (one as Readonly<Record<string, unknown>>)[key]));
  return z
    .array(item)
    .max(max)
    .refine((items) => new Set(items.map(keyOf)).size === items.length, {
      message: `${keys.join(', ')} must be unique`,
    })
    .meta({ description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [...keys] });
};

/** A map of texts, as labels and annotations are. */
export const stringMap = (description: string, { maxValue = 4096, maxProperties = 64 } = {}) =>
  z
    .record(z.string().max(317), z.string().max(maxValue))
    .refine((map) => Object.keys(map).length <= maxProperties, { message: `at most ${maxProperties} entries` })
    .meta({ description, maxProperties });

const PATH_PART = '[a-z0-9]+([._-]+[a-z0-9]+)*';
const HOST = '([a-zA-Z0-9.-]+|\\[[0-9a-fA-F:]+\\])(:[0-9]+)?';
const TAG_AND_DIGEST = '(:[0-9A-Za-z_][0-9A-Za-z_.-]{0,127})?(@[A-Za-z0-9_+.-]+:[0-9a-fA-F]{32,})?';

/** `[host/]path[:tag][@digest]`. */
export const imageName = (description: string) =>
  rule(text(512, description).min(1), {
    message: 'must be the name of an image such as registry.example.com/team/app:v1, its path in lower case',
    holds: (name) => {
      try {
        parseImageReference(name);
        return true;
      } catch {
        return false;
      }
    },
    // What this lets pass that is none after all, a longer path for one, is found when the run is planned.
    cel: `self.matches(r'^(${HOST}/)?${PATH_PART}(/${PATH_PART})*${TAG_AND_DIGEST}$')`,
  });

/** RFC 1123 name, e.g. of a Secret. */
export const dnsName = (description: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be a lower-case DNS name')
    .describe(description);

/** Of a service of sigstore: no credentials, and nothing behind the path. */
export const serviceUrl = (description: string) =>
  text(2048, description).regex(/^https?:\/\/[^\s@?#]+$/, 'must be an http or https URL');

/** Reference to a Secret in the Build's namespace, or to a key of it. */
export const secretKeyRef = z
  .strictObject({
    name: dnsName('Name of the Secret.'),
    key: text(
      253,
      'Key within the Secret; when left out, the only key, or all keys where several are used.',
    ).optional(),
  })
  .describe('A Secret of the same namespace.');

export const configMapKeyRef = z
  .strictObject({ name: dnsName('Name of the ConfigMap.'), key: text(253, 'Key within the ConfigMap.') })
  .describe('A key of a ConfigMap of the same namespace.');

const WEEK = '168h';

/** A duration such as `90s` or `1h30m`: not none at all, which would mean "without end" to some, and no more than `max` (by default a week). */
export const duration = (description: string, max = WEEK) =>
  rule(
    z
      .string()
      .max(32)
      .regex(/^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/, 'must be a duration such as 90s or 1h30m')
      .describe(description),
    {
      message: `must be from 1s to ${max}`,
      holds: (text) => parseDuration(text) >= 1000 && parseDuration(text) <= parseDuration(max),
      cel: `duration(self) >= duration('1s') && duration(self) <= duration('${max}')`,
    },
  );

/** What the field means where it is left out, beside its description and held to its own bounds. The API server writes nothing into a spec: a default may be another one day. */
export function defaultsTo<S extends z.ZodType>(schema: S, value: z.input<S>, unit = ''): S {
  const description = (schema.description ?? '').replace(/\.$/, '');
  return schema.meta({ description: `${description} (default ${String(value)}${unit}).`, [DEFAULT]: value }) as S;
}

/** The key of a default among what a schema says. */
export const DEFAULT = 'x-slipway-default';

/** A size such as `512Mi` or `2Gi`, as Kubernetes writes quantities, at least `1Mi`. */
export const byteSize = (description: string) =>
  z
    .string()
    .max(16)
    .regex(/^([1-9][0-9]{0,5}(Mi|Gi)|[1-9][0-9]{0,2}Ti)$/, 'must be a size such as 512Mi or 2Gi')
    .describe(description);

/** A path that stays below where it starts. */
export const relativePath = (max: number, description: string) =>
  rule(text(max, description), {
    message: 'must be a relative path without ".."',
    holds: (path) => !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'),
    cel: "!self.startsWith('/') && !self.matches('(^|/)[.][.](/|$)')",
  });

/** RFC 3339 time. */
export const time = (description: string) => z.string().max(64).meta({ description, format: 'date-time' });

export const digest = (description: string) =>
  z
    .string()
    .max(135)
    .regex(/^[a-z0-9]+:[a-f0-9]{32,128}$/, 'must be a digest')
    .describe(description);
