import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseDuration, parseSize } from '../../base/index.ts';
import { DEFAULT_UNPACK_LIMITS } from '../../oci/layers/index.ts';
import { DEFAULT_OUTFLOW } from '../builder/index.ts';
import { flagsWithVariables, readConfig } from './config.ts';
import { parseFlags } from './flags.ts';
import { logLimitsOf } from './log-limits.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

let next = 0;
test('what one step may have leaves something for others, unless the file says otherwise', () => {
  const { processes, memory } = config('').stepLimits;
  expect(processes).toBeGreaterThan(1000);
  expect(processes).toBeLessThan(Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')));
  expect(memory).toBeGreaterThan(0);
  expect(memory).toBeLessThan(totalmem());
  const toml = (memory: string) => `[worker.oci]\nmax-step-processes = 100\nmax-step-memory = ${memory}\n`;
  expect(config(toml('"2GiB"')).stepLimits).toEqual({ processes: 100, memory: 2 * 2 ** 30 });
  expect(config(toml('0')).stepLimits.memory).toBe(0);
  expect(() => config('[worker.oci]\nmax-step-processes = -1\n')).toThrow(/max-step-processes/);
});

test('what a layer may grow to is bounded, by the file or by flags', () => {
  const toml = '[worker.oci]\nmax-unpacked-bytes = "1GiB"\nmax-unpacked-entries = 50\n';
  expect(config('').unpackLimits).toEqual(DEFAULT_UNPACK_LIMITS);
  expect(config(toml).unpackLimits).toEqual({ maxUnpackedBytes: 2 ** 30, maxUnpackedEntries: 50 });
  expect(config(toml, '--max-unpacked-bytes', '2GiB').unpackLimits.maxUnpackedBytes).toBe(2 * 2 ** 30);
  expect(() => config('[worker.oci]\nmax-unpacked-bytes = 0\n')).toThrow(/max-unpacked-bytes 0/);
  const context = '[worker.oci]\nmax-context-bytes = "3MB"\n';
  expect(config('').contextLimit).toBeUndefined();
  expect(config(context).contextLimit?.most).toBe(3e6);
  expect(config(context, '--max-context-bytes', '4KiB').contextLimit?.most).toBe(4096);
  expect(() => config('', '--max-context-bytes', '0')).toThrow(/max-context-bytes 0/);
});

test('caches are demanded to be signed by keys in files, which must be there and be keys', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const [file, secret] = [join(folder, 'team.pub'), join(folder, 'team.key')];
  writeFileSync(file, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(secret, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const toml = (repository: string, key = file) =>
    `[[trusted-caches]]\nrepository = "${repository}"\nkeys = ["${key}"]\n`;
  expect(config('').trustedCaches).toEqual([]);
  expect(config(toml('*') + toml('registry.test:5000/team')).trustedCaches).toMatchObject([
    { repository: '*', keys: { length: 1 } },
    { repository: 'registry.test:5000/team', keys: { length: 1 } },
  ]);
  expect(() => config(toml('registry.test', join(folder, 'none.pub')))).toThrow(/registry\.test: .*none\.pub/);
  expect(() => config(toml('registry.test', secret))).toThrow(/private key/);
  expect(() => config(toml('https://registry.test'))).toThrow(/expected a registry's host/);
  expect(() => config('[[trusted-caches]]\nrepository = "*"\nkeys = []\n')).toThrow(/keys/);
  expect(() => config('[[trusted-caches]]\nrepository = "*"\n')).toThrow(/expected keys, or identities/);
  const root = join(folder, 'trusted_root.json');
  const rawBytes = Buffer.from('x').toString('base64');
  const document = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    certificateAuthorities: [{ certChain: { certificates: [{ rawBytes }] } }],
    tlogs: [{ publicKey: { rawBytes } }],
  };
  const byIdentity = `[[trusted-caches]]\nrepository = "*"\nidentities = [{ identity = "a", issuer = "b" }]\n`;
  const withRoot = `${byIdentity}trusted-root = "${root}"\n`;
  writeFileSync(root, JSON.stringify(document));
  expect(config(withRoot).trustedCaches).toMatchObject([{ keys: [], identities: [{ identity: 'a', issuer: 'b' }] }]);
  expect(() => config(byIdentity)).toThrow(/given together/);
  expect(() => config(`${toml('*')}trusted-root = "${root}"\n`)).toThrow(/given together/);
  writeFileSync(root, JSON.stringify({ ...document, tlogs: [] }));
  expect(() => config(withRoot)).toThrow(/trusted_root\.json.*names no authority of certificates, or no log/);
});

test('stores that builds reach as the builder are named as they are asked for, and nothing else is taken for one', () => {
  const of = (...stores: readonly string[]) =>
    config(`[own-identity]\ncaches = ${JSON.stringify(stores)}\n`).ownIdentity;
  expect(config('').ownIdentity).toEqual(new Set());
  expect(of('s3://b', 'HTTPS://Acct.blob.core.windows.net:443/', 'https://minio.test:9000/b/')).toEqual(
    new Set(['s3://b', 'https://acct.blob.core.windows.net', 'https://minio.test:9000/b']),
  );
  for (const wrong of ['', 'b', 's3://', 'https://h/a/b', 'https://h/?sig=x', 'file:///b', '*'])
    expect(() => of(wrong)).toThrow(/own-identity\.caches .*expected s3:\/\/BUCKET/);
});

test('what is sent while builds go on is bounded, by the file where it says otherwise', () => {
  const of = (toml: string) => config(`[outflow]\n${toml}\n`).outflow;
  expect(config('').outflow).toEqual(DEFAULT_OUTFLOW);
  expect(of('bandwidth = "10MiB"\nrequests = 3')).toEqual({ bytesPerSecond: 10 << 20, requests: 3 });
  expect(of('bandwidth = 0').bytesPerSecond).toBe(Number.POSITIVE_INFINITY);
  for (const wrong of ['bandwidth = "fast"', 'bandwidth = "20%"', 'bandwidth = -1'])
    expect(() => of(wrong)).toThrow(/outflow\.bandwidth/);
  for (const wrong of ['requests = 0', 'requests = 1000']) expect(() => of(wrong)).toThrow(/outflow\.requests/);
});

test('a CNI configuration at the usual place is not passed over', () => {
  const cniConfig = join(folder, 'cni.json');
  const read = (...args: string[]) => readConfig(parseFlags(args), { cniConfig });
  expect(read().network).toBe('host');
  writeFileSync(cniConfig, '{}');
  expect(read).toThrow(`CNI networks (${cniConfig} is there): not supported by this builder yet`);
  expect(read('--oci-worker-net=host').network).toBe('host');
  expect(read('--oci-worker-net=none').network).toBe('none');
  expect(read('--oci-cni-config-path', '/nowhere/cni.json').network).toBe('host');
});

function config(toml: string, ...args: readonly string[]) {
  const file = join(folder, `${next++}.toml`);
  writeFileSync(file, toml);
  return readConfig(parseFlags(['--config', file, ...args]));
}

describe('flags and file', () => {
  test('flags win over the file, the file over what is usual', () => {
    expect(config('')).toMatchObject({
      root: '/var/lib/buildkit',
      addresses: [{ kind: 'unix', path: '/run/buildkit/buildkitd.sock' }],
      logLevel: 'info',
      network: 'host',
    });
    const toml = `root = "/file"\ndebug = true\n[grpc]\naddress = ["tcp://[::1]:1234", "unix:///x"]\n[worker.oci]\nmax-parallelism = 3\n`;
    expect(config(toml)).toMatchObject({
      root: '/file',
      logLevel: 'debug',
      maxParallelism: 3,
      addresses: [
        { kind: 'tcp', host: '::1', port: 1234 },
        { kind: 'unix', path: '/x' },
      ],
    });
    expect(config(toml, '--root', '/flag', '--addr', 'unix:///y')).toMatchObject({
      root: '/flag',
      addresses: [{ path: '/y' }],
    });
  });

  test('flags are written as Go programs take them', () => {
    expect(
      parseFlags([
        '-debug',
        '--oci-worker=true',
        '--containerd-worker=false',
        '--addr=unix:///a',
        '--addr',
        'unix:///b',
      ]),
    ).toMatchObject({
      debug: true,
      'oci-worker': 'true',
      addr: ['unix:///a', 'unix:///b'],
    });
    expect(() => parseFlags(['--nonsense'])).toThrow(/nonsense/);
  });

  test('garbage collection from policies, or from limits', () => {
    const toml =
      '[worker.oci]\n[[worker.oci.gcpolicy]]\nfilters = ["type==source.local"]\nkeepDuration = "48h"\nmaxUsedSpace = "10%"\n[[worker.oci.gcpolicy]]\nall = true\nreservedSpace = "1GB"\n';
    expect(config(toml).gcPolicy(1000)).toEqual([
      { filters: ['type==source.local'], keepDurationMs: 172_800_000, maxUsedSpace: 100 },
      { all: true, reservedSpace: 1_000_000_000 },
    ]);
    expect(config('', '--oci-worker-gc=false').gcPolicy(1000)).toEqual([]);
    expect(config('[worker.oci]\nmaxUsedSpace = 7\n').gcPolicy(1e12).at(-1)).toMatchObject({
      all: true,
      maxUsedSpace: 7,
    });
  });

  test('registries are read with their keys', () => {
    const hosts = config(
      '[registry."docker.io"]\nmirrors = ["mirror.example"]\n[registry."r.example:5000"]\nhttp = true\ninsecure = true\n',
    ).registries;
    expect(hosts).toEqual({
      'docker.io': { mirrors: ['mirror.example'] },
      'r.example:5000': { plainHttp: true, insecure: true },
    });
  });

  test('a directory of certificates is read as Docker keeps it', () => {
    const at = mkdtempSync(join(folder, 'certs-'));
    for (const name of ['one.crt', 'two.crt', 'a.cert', 'a.key', 'b.cert', 'b.key', 'readme'])
      writeFileSync(join(at, name), name);
    const [a, b] = ['a', 'b'].map((name) => ({ cert: `${name}.cert`, key: `${name}.key` }));
    expect(config(`[registry."r.example"]\ntlsconfigdir = ["${at}"]\n`).registries).toEqual({
      'r.example': { ca: ['one.crt', 'two.crt'], client: [a, b] },
    });
    // Those that are named come first.
    const named = ['b', 'a'].map((name) => `{ key = "${at}/${name}.key", cert = "${at}/${name}.cert" }`);
    const both = `[registry."r.example"]\nkeypair = [${named}]\ntlsconfigdir = ["${at}"]\n`;
    expect(config(both).registries['r.example']?.client).toEqual([b, a, a, b]);
  });

  test('what BuildKit’s own charts write is taken', () => {
    const toml = `debug = true\ntrace = false\n[grpc]\nuid = 0\ngid = 0\n[worker.oci]\nenabled = true\nbinary = "buildkit-runc"\nnetworkMode = "auto"\ncniConfigPath = "/nowhere/cni.json"\n[worker.containerd]\nenabled = false\n[history]\nmaxAge = 172800\nmaxEntries = 50\n[frontend."gateway.v0"]\nenabled = true\n`;
    expect(config(toml).logLevel).toBe('debug');
    expect(config('', '--trace').logLevel).toBe('trace');
  });

  test('keys of BuildKit 0.34 are taken; those without an effect are told', () => {
    const toml = `[compaction]\nenabled = true\nidleTimeout = "10m"\nminReclaimBytes = 1\nminReclaimPercent = 1\nminReclaimPercentFloor = 1\nsizeGrowthPercent = 1\nsizeWatermark = 1\nwritesPerCheck = 1\n[system]\nsessionAuthTimeout = "90s"\n[history]\nmaxEntries = 0\nmaxAge = 60\n[cdi]\ndisabled = true\n`;
    expect(config(toml)).toMatchObject({
      idleKeys: ['cdi', 'compaction'],
      sessionAuthMs: 90_000,
      history: { maxEntries: 0, maxAgeMs: 60_000 },
    });
    expect(config('')).toMatchObject({
      idleKeys: [],
      sessionAuthMs: 60_000,
      history: { maxEntries: 50, maxAgeMs: 172_800_000 },
    });
    expect(() => config('[compaction]\nsizeWatermrk = 1\n')).toThrow(/sizeWatermrk/);
  });

  test('the environment stands in for flags', () => {
    const toml = join(folder, 'variables.toml');
    writeFileSync(toml, 'root = "/from/the/file"\n');
    const of = (env: Record<string, string>, ...args: string[]) =>
      readConfig(flagsWithVariables(parseFlags(args), env));
    expect(of({ BUILDKITD_CONFIG: toml, BUILDKITD_LOG_LEVEL: 'warn' })).toMatchObject({
      root: '/from/the/file',
      logLevel: 'warn',
    });
    expect(of({ BUILDKITD_LOG_LEVEL: 'warn' }, '--log-level', 'error').logLevel).toBe('error');
    expect(() => of({ BUILDKITD_CONFIG: '/nowhere/x.toml' })).toThrow('/nowhere/x.toml');
    expect(() => of({ BUILDKITD_DEBUGADDR: '127.0.0.1:0' })).toThrow(/debug address/);
  });

  test.each([
    ['[worker.containerd]\nenabled = true\n', /containerd worker/],
    ['proxyNetwork = true\n', /proxied networking/],
    ['[worker.oci]\nrootless = true\n', /rootless/],
    ['[worker.oci]\nsnapshotter = "native"\n', /snapshotters other than overlayfs/],
    ['[worker.oci]\nnetworkMode = "cni"\n', /network mode cni/],
    ['[dns]\nnameservers = ["10.0.0.1"]\n', /name servers/],
    ['[dns]\nsearchDomains = ["example.com"]\n', /name servers/],
    ['[worker.oci]\nbinary = "/usr/bin/runsc"\n', /runtimes other than runc/],
    [`[worker.oci]\ncniConfigPath = "/etc/passwd"\n`, /CNI networks/],
    ['[worker.oci]\nuserRemapUnsupported = "0:100000:65536"\n', /remapping of users/],
    ['[grpc]\nuid = 1000\n', /another user than root/],
    ['[frontend."dockerfile.v0"]\nenabled = false\n', /Dockerfile frontend off/],
    ['[registry."r.example"]\ntlsconfigdir = ["/nowhere/certs"]\n', /\/nowhere\/certs is not there/],
    ['nonsense = 1\n', /nonsense/],
    ['root = 1\n', /root/],
    ['root = \n', /toml|invalid|expected/i],
    ['insecure-entitlements = ["everything"]\n', /everything/],
    ['[grpc]\naddress = ["http://x"]\n', /unix:\/\//],
  ])('refuses %j by name', (toml, message) => {
    expect(() => config(toml)).toThrow(message);
  });

  test('a missing file is an error only when it was named', () => {
    expect(() => readConfig(parseFlags(['--config', '/nowhere/x.toml']))).toThrow('/nowhere/x.toml');
  });
});

test('durations and sizes', () => {
  expect(['90s', '1h30m', '250ms', '60', 5].map((text) => parseDuration(text, 'x'))).toEqual([
    90_000, 5_400_000, 250, 60_000, 5000,
  ]);
  expect(() => parseDuration('soon', 'keepDuration')).toThrow(/keepDuration/);
  expect(['10', '1KB', '1KiB', '2.5GB', '20%', 7].map((text) => parseSize(text, 'x', 1000))).toEqual([
    10, 1000, 1024, 2.5e9, 200, 7,
  ]);
  expect(() => parseSize('much', 'maxUsedSpace', 1)).toThrow(/maxUsedSpace/);
});

test('bounds of what is shown of a step are read as BuildKit reads them; what is no number is told', () => {
  const ignored: string[] = [];
  const of = (size?: string, speed?: string) =>
    logLimitsOf({ BUILDKIT_STEP_LOG_MAX_SIZE: size, BUILDKIT_STEP_LOG_MAX_SPEED: speed }, (name) => ignored.push(name));
  expect(of()).toEqual({ maxSize: 2 << 20, maxSpeed: 200 << 10 });
  expect(of('-1', '10000000000')).toEqual({ maxSize: -1, maxSpeed: 1e10 });
  expect(of('', '0')).toEqual({ maxSize: 2 << 20, maxSpeed: 0 });
  expect(ignored).toEqual([]);
  expect(of('2MB', '1e3')).toEqual(of());
  expect(ignored).toEqual(['BUILDKIT_STEP_LOG_MAX_SIZE', 'BUILDKIT_STEP_LOG_MAX_SPEED']);
});
