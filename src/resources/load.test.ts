import { describe, expect, test } from 'vitest';
import { parseBuild } from './index.ts';

const minimal = `
apiVersion: slipway.build/v1alpha1
kind: Build
metadata: { name: hello }
spec:
  source: { inline: { files: { hello.txt: hi } } }
  dockerfile: { inline: "FROM scratch\\nCOPY hello.txt /\\n" }
  outputs: [{ image: hello }]
`;

const failure = (text: string) => {
  try {
    parseBuild(text, 'build.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};

describe('parseBuild', () => {
  test('reads a minimal Build', () => {
    expect(parseBuild(minimal, 'build.yaml').spec.outputs).toEqual([{ image: 'hello' }]);
  });

  test('ignores a status that a cluster wrote', () => {
    expect(parseBuild(`${minimal}status: { phase: Succeeded }\n`, 'build.yaml').metadata.name).toBe('hello');
  });

  test('names the line of a syntax error', () => {
    expect(failure('apiVersion: x\n  kind: [')).toMatch(/^build\.yaml:2: not valid YAML/);
  });

  test('names every wrong field at once', () => {
    const message = failure(minimal.replace('image: hello', 'imgae: hello').replace('name: hello', 'name: Hello'));
    expect(message).toContain('metadata.name: must be a lower-case DNS name');
    expect(message).toContain('spec.outputs[0].image');
    expect(message).toContain('imgae');
  });

  test('exactly one kind of source', () => {
    expect(failure(minimal.replace('inline: {', 'upload: {}, inline: {'))).toContain(
      'exactly one of git, http, oci, flux, configMap, inline, upload',
    );
  });

  test.each(['../x', '/etc/passwd', 'a/../../b'])('refuses the inline path %s', (path) => {
    expect(failure(minimal.replace('hello.txt: hi', `"${path}": hi`))).toContain('relative path');
  });

  test.each([
    ['compressionLevel: 10', 'at most 9 but for zstd'],
    ['compression: estargz, ociMediaTypes: false', 'need OCI media types'],
    ['indexAnnotations: { a: b }, ociMediaTypes: false', 'need OCI media types'],
    ['compression: lzma', 'spec.outputs[0].compression'],
  ])('an output with %s is refused', (field, message) => {
    expect(failure(minimal.replace('image: hello', `image: hello, ${field}`))).toContain(message);
  });

  test.each([
    ['sign: { secretRef: { name: s } }, outputs: []', 'sign is for what is pushed'],
    ['cache: { mounts: { from: a, sign: { secretRef: { name: s } } } }', 'sign is for what is saved'],
    ['attestations: { sbom: {} }, outputs: [{ image: a, ociMediaTypes: false }]', 'is an OCI index'],
    ['sourceDateEpoch: 1, args: [{ name: SOURCE_DATE_EPOCH, value: context }]', 'exclude each other'],
    [
      'outputs: [{ image: "a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }]',
      'an output has tags',
    ],
    ['outputs: [{ image: UPPER }]', 'its path in lower case'],
    ['outputs: [{ image: a, annotations: { "a b": c } }]', 'keys must not be empty or have spaces'],
    ['outputs: [{ image: a, platformAnnotations: [{ platform: "linux" }] }]', 'must be os/arch'],
  ])('a spec of %s is refused', (fields, message) => {
    const spec = `{ dockerfile: { inline: x }, ${fields} }`;
    expect(failure(minimal.replace(/spec:[\s\S]*/, `spec: ${spec}\n`))).toContain(message);
  });

  test.each([
    ['from: [{ ref: a, s3: { bucket: b, region: r } }]', 'exactly one of ref, s3, gha, azblob'],
    ['from: [{}]', 'exactly one of ref, s3, gha, azblob'],
    ['from: [{ inline: {} }]', 'is read by the name of the image: use ref'],
    ['from: [{ local: { src: x } }]', 'a directory is on the disk of one machine'],
    ['to: [{ local: { dest: x } }]', 'a directory is on the disk of one machine'],
    ['from: [{ s3: { bucket: b, region: r }, insecure: true }]', 'insecure is for a ref'],
    ['from: [{ ref: "r.example.com/UPPER" }]', 'its path in lower case'],
    ['from: [{ s3: { bucket: b } }]', 'spec.cache.from[0].s3.region'],
    ['from: [{ s3: { bucket: b, region: r, endpointUrl: "file:///x" } }]', 'must be an http or https URL'],
    ['from: [{ gha: {} }]', 'spec.cache.from[0].gha.secretRef'],
    ['to: [{ inline: {}, mode: max }]', 'an inline cache is of the image’s own layers'],
    ['to: [{ inline: {}, compression: zstd }]', 'an inline cache is of the image’s own layers'],
    ['to: [{ s3: { bucket: b, region: r }, imageManifest: true }]', 'are for a ref alone'],
    ['to: [{ ref: a, mode: max, continuousInterval: 1m }]', 'are for mode continuous'],
    ['to: [{ ref: a, compressionLevel: 10 }]', 'at most 9 but for zstd'],
    ['to: [{ ref: a, ociMediaTypes: false, imageManifest: true }]', 'need OCI media types'],
    ['to: [{ ref: a, maxAge: 9000h }]', 'must be from 1s to 8760h'],
  ])('a cache of %s is refused', (field, message) => {
    expect(failure(minimal.replace('outputs:', `cache: { ${field} }\n  outputs:`))).toContain(message);
  });

  test('a document that is no object', () => {
    expect(failure('just text')).toContain('expected one Build object');
  });
});
