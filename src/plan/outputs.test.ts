import { expect, test } from 'vitest';
import { outputNames } from './outputs.ts';

const names = (image: string, tags?: string[]) => outputNames({ image, tags }, 'slipway.localhost');

test('a name without a registry host goes to the default registry', () => {
  expect(names('hello')).toEqual(['slipway.localhost/hello:latest']);
  expect(names('team/hello', ['v1'])).toEqual(['slipway.localhost/team/hello:v1']);
});

test('a name with a host stays as it is', () => {
  expect(names('localhost:5000/a:x')).toEqual(['localhost:5000/a:x']);
  expect(names('registry.example.com/a', ['b', 'c'])).toEqual(['registry.example.com/a:b', 'registry.example.com/a:c']);
  expect(names('docker.io/library/a')).toEqual(['docker.io/library/a:latest']);
});

test('the tag of the name and the listed ones are all written, each once', () => {
  expect(names('hello:v1', ['v1', 'v2'])).toEqual(['slipway.localhost/hello:v1', 'slipway.localhost/hello:v2']);
});

test('an output cannot name a digest', () => {
  expect(() => names(`hello@sha256:${'0'.repeat(64)}`)).toThrow('names a digest');
});

test('a hostile name is refused', () => {
  expect(() => names('../../etc')).toThrow('invalid');
  expect(() => names('a b')).toThrow('invalid');
});
