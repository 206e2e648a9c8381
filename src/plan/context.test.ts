import { describe, expect, test } from 'vitest';
import { decodeDefinition, decodeOp } from '../llb/index.ts';
import { parseBuild } from '../resources/index.ts';
import { type ClusterValues, planBuild, type SolvePlan } from './index.ts';

const plan = (spec: string, values?: ClusterValues): SolvePlan =>
  planBuild(
    parseBuild(`apiVersion: slipway.build/v1alpha1\nkind: Build\nmetadata: { name: x }\nspec: ${spec}\n`, 'b.yaml'),
    { defaultRegistry: 'slipway.localhost', ...(values === undefined ? {} : { values }) },
  );

/** What a definition does, a line an action, and where it begins. */
function steps(bytes: Uint8Array | undefined): string[] {
  return decodeDefinition(bytes ?? new Uint8Array())
    .ops.map(decodeOp)
    .flatMap(({ body }) => {
      if (body.kind === 'source') return [`${body.source.identifier} ${JSON.stringify(body.source.attrs)}`];
      if (body.kind !== 'file') return [];
      return body.file.actions.map(({ body: action }) =>
        action.kind === 'copy'
          ? `copy ${action.copy.src} ${action.copy.dest}${action.copy.attemptUnpack ? ' unpacked' : ''}${action.copy.dirCopyContents ? ' contents' : ''}`
          : action.kind,
      );
    });
}

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('every source, as the main and as a named context', () => {
  const both = (source: string, values?: ClusterValues) => {
    const planned = plan(`{ source: { ${source} }, contexts: [{ name: c, ${source} }] }`, values);
    const { frontendInputs: inputs, frontendAttrs: attrs } = planned;
    expect(inputs['dockerfile']).toEqual(inputs['context']);
    if (inputs['c'] !== undefined) expect(attrs['context:c']).toBe('input:c');
    return { planned, attrs, main: steps(inputs['context']), named: steps(inputs['c']) };
  };

  test('an archive over http is unpacked, its digest and credentials are the source’s', () => {
    const { planned, main, named } = both(
      `http: { url: "https://x.test/a.tgz", checksum: "${DIGEST}", subPath: ./app, secretRef: { name: web, key: k } }`,
    );
    const attrs = (filename: string) =>
      JSON.stringify({
        'http.authheadersecret': 'http-web-k',
        'http.checksum': DIGEST,
        'http.filename': filename,
      });
    expect(main).toEqual([
      `https://x.test/a.tgz ${attrs('Dockerfile')}`,
      ...['copy /Dockerfile / unpacked', 'copy /app / contents'],
    ]);
    expect(named).toEqual([
      `https://x.test/a.tgz ${attrs('context')}`,
      ...['copy /context / unpacked', 'copy /app / contents'],
    ]);
    expect(planned.httpAuth).toEqual([
      { id: 'http-web-k', secretRef: { name: 'web', key: 'k' }, field: 'spec.source.http.secretRef' },
    ]);
  });

  test('an image is its file system; by a name it stays an image, which FROM takes', () => {
    const { attrs, main } = both('oci: { image: "r.test/a:v1" }');
    expect(main).toEqual(['docker-image://r.test/a:v1 {"image.artifact":"true"}']);
    expect(attrs['context:c']).toBe('docker-image://r.test/a:v1');
    const folder = both('oci: { image: "r.test/a:v1", subPath: etc }');
    expect(folder.main).toEqual([...main, 'copy /etc / contents']);
    expect(folder.named).toEqual(folder.main);
    expect(both('oci: { image: "r.test/a:v1", artifact: true }').named).toEqual(main);
  });

  test('the artifact of a source of Flux is fetched by its digest', () => {
    const artifact = { url: 'http://flux.test/x.tar.gz', digest: DIGEST, revision: 'main@sha1:1' };
    const values = {
      ...{ configMaps: new Map(), knownHosts: new Map(), caBundle: undefined },
      fluxArtifacts: new Map([['Bucket/b', artifact]]),
    };
    const { main, named } = both('flux: { kind: Bucket, name: b }', values);
    expect(main).toEqual([
      `http://flux.test/x.tar.gz {"http.checksum":"${DIGEST}","http.filename":"context"}`,
      'copy /context / unpacked',
    ]);
    expect(named).toEqual(main);
    expect(() => plan('{ source: { flux: { kind: Bucket, name: other } } }', values)).toThrow(
      'spec.source.flux: there is no artifact of the Bucket other',
    );
    expect(() => plan('{ source: { flux: { kind: Bucket, name: b } } }')).toThrow('only a cluster has sources of Flux');
  });

  test.each([
    ['http: { url: "ftp://x.test/a" }', 'http.url'],
    ['http: { url: "https://x.test/a", checksum: "md5:1" }', 'http.checksum'],
    ['http: { url: "https://x.test/a", subPath: "../b" }', 'http.subPath'],
    ['oci: { image: "UPPER" }', 'oci.image'],
    ['flux: { kind: HelmChart, name: a }', 'flux.kind'],
    ['git: { url: "https://x.test/a#b" }', 'git.url'],
  ])('what is wrong is named by its field: %s', (source, field) => {
    expect(() => plan(`{ source: { ${source} } }`)).toThrow(new RegExp(`spec\\.source\\.${field.replace('.', '\\.')}`));
  });
});
