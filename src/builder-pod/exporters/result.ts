import { type Annotation, parseAnnotations } from './attributes.ts';
import type { ExportResponse, ExportSource } from './ports.ts';

export function metadataText({ metadata }: ExportSource, key: string): string | undefined {
  const value = metadata.get(key);
  return value === undefined ? undefined : Buffer.from(value).toString('utf8');
}

/** Annotations that the frontend asks for. */
export function resultAnnotations(source: ExportSource): Annotation[] {
  const entries = [...source.metadata]
    .filter(([key]) => key.startsWith('annotation'))
    .map(([key, value]) => [key, Buffer.from(value).toString('utf8')] as const);
  return parseAnnotations(entries);
}

/** Metadata that frontends pass through to the client. */
export function frontendResponse({ metadata }: ExportSource): ExportResponse {
  return Object.fromEntries(
    [...metadata]
      .filter(([key]) => key.startsWith('frontend.'))
      .map(([key, value]) => [key, Buffer.from(value).toString('utf8')]),
  );
}
