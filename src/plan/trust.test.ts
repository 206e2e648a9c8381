import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { parseBuild } from '../resources/index.ts';
import { planBuild, references, solveRequest } from './index.ts';

const PEM = rootCertificates[0] as string;
const spec = (trust: object, more: object = {}) => ({ dockerfile: { inline: 'FROM scratch' }, trust, ...more });
const plan = (given: object, caBundle?: string) =>
  planBuild(
    parseBuild(
      JSON.stringify({ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'x' }, spec: given }),
      'b.json',
    ),
    {
      defaultRegistry: undefined,
      values: { configMaps: new Map(), knownHosts: new Map(), fluxArtifacts: new Map(), caBundle },
    },
  );

describe('trust of a Build', () => {
  test('goes to the builder with the request, and of the proxy RUN steps are told', () => {
    const planned = plan(spec({ caBundle: PEM, proxy: 'http://u:p@proxy.test:3128', noProxy: '.svc' }));
    expect(solveRequest(planned).trust).toEqual({
      caBundle: PEM,
      proxy: 'http://u:p@proxy.test:3128',
      noProxy: '.svc',
    });
    expect(planned.frontendAttrs).toMatchObject({
      'build-arg:HTTP_PROXY': 'http://u:p@proxy.test:3128',
      'build-arg:HTTPS_PROXY': 'http://u:p@proxy.test:3128',
      'build-arg:NO_PROXY': '.svc',
    });
  });

  test('arguments that the Build sets itself stay; without a proxy there are none', () => {
    const own = plan(spec({ proxy: 'http://proxy.test' }, { args: [{ name: 'http_proxy', value: 'mine' }] }));
    expect(Object.keys(own.frontendAttrs).toSorted()).toEqual(['build-arg:HTTPS_PROXY', 'build-arg:http_proxy']);
    expect(plan(spec({ caBundle: PEM })).frontendAttrs).toEqual({});
    expect(solveRequest(plan(spec({})))).not.toHaveProperty('trust');
  });

  test('certificates may be those of a ConfigMap or Secret', () => {
    const from = { caBundleFrom: { configMapKeyRef: { name: 'ca', key: 'ca.crt' } } };
    expect(plan(spec(from), PEM).trust?.caBundle).toBe(PEM);
    expect(references(spec(from))).toMatchObject([{ kind: 'ConfigMap', name: 'ca', field: 'spec.trust.caBundleFrom' }]);
    expect(() => plan(spec(from))).toThrow('spec.trust.caBundleFrom');
  });

  test.each([
    [{ caBundle: 'x' }, /spec\.trust\.caBundle: from 1 to 300 PEM certificates/],
    [
      { caBundle: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
      /spec\.trust\.caBundle: certificate 1 cannot be read/,
    ],
    [{ proxy: 'https://proxy.test' }, /spec\.trust\.proxy/],
    [{ proxy: 'file:///etc/passwd' }, /spec\.trust\.proxy/],
    [{ noProxy: 'a' }, /noProxy needs a proxy/],
    [{ caBundle: PEM, caBundleFrom: { secretRef: { name: 's' } } }, /exclude each other/],
  ])('what is wrong is named: %j', (trust, message) => {
    expect(() => plan(spec(trust))).toThrow(message);
  });
});
