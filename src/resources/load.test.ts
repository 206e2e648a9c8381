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
      'exactly one of git, http, oci, configMap, inline, upload',
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

  test('a document that is no object', () => {
    expect(failure('just text')).toContain('expected one Build object');
  });
});
