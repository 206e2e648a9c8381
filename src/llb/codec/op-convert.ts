import type { Digest, Platform } from '../../base/index.ts';
import type { BuildOp, ExecMeta, ExecMount, ExecOp, Input, Op, OpBody, SecretMount, SourceOp } from '../op.ts';
import { definitionFromWire, definitionToWire } from './definition-convert.ts';
import { bool, compact, enumOf, list, num, numbers, record, str, strings, sub, toMap } from './fields.ts';
import { fileFromWire, fileToWire } from './file-convert.ts';
import { malformed } from './reader.ts';
import type { WireMessage } from './schema.ts';

const networks = enumOf('network mode', ['unset', 'host', 'none']);
const securities = enumOf('security mode', ['sandbox', 'insecure']);
const mountTypes = enumOf('mount type', ['bind', 'secret', 'ssh', 'cache', 'tmpfs']);
const sharings = enumOf('cache sharing mode', ['shared', 'private', 'locked']);
const contentCaches = enumOf('content cache mode', ['default', 'on', 'off']);

/** `inputs` may be given, where they are known: they may be very many. */
export function opFromWire(wire: WireMessage, inputs: readonly Input[] = inputsFromWire(wire)): Op {
  const platform = sub(wire, 'platform');
  const constraints = sub(wire, 'constraints');
  return compact({
    inputs,
    platform: platform && platformFromWire(platform),
    constraints: constraints && strings(constraints, 'filter'),
    body: bodyFromWire(wire),
  });
}

function inputsFromWire(wire: WireMessage): readonly Input[] {
  return list(wire, 'inputs').map((input) => ({ digest: str(input, 'digest') as Digest, index: num(input, 'index') }));
}

export function opToWire(op: Op): WireMessage {
  return {
    inputs: op.inputs.map(({ digest, index }) => ({ digest, index })),
    ...bodyToWire(op.body),
    platform: op.platform && platformToWire(op.platform),
    constraints: op.constraints && { filter: op.constraints },
  };
}

function platformFromWire(wire: WireMessage): Platform {
  return compact({
    architecture: str(wire, 'architecture'),
    os: str(wire, 'os'),
    variant: str(wire, 'variant') || undefined,
    'os.version': str(wire, 'osVersion') || undefined,
    'os.features': strings(wire, 'osFeatures').length > 0 ? strings(wire, 'osFeatures') : undefined,
  });
}

function platformToWire(platform: Platform): WireMessage {
  return {
    architecture: platform.architecture,
    os: platform.os,
    variant: platform.variant,
    osVersion: platform['os.version'],
    osFeatures: platform['os.features'],
  };
}

function bodyFromWire(wire: WireMessage): OpBody {
  const { exec, source, file, build, merge, diff, passthrough } = wire as Record<string, WireMessage | undefined>;
  if (exec) return { kind: 'exec', exec: execFromWire(exec) };
  if (source) return { kind: 'source', source: sourceFromWire(source) };
  if (file) return { kind: 'file', file: fileFromWire(file) };
  if (build) return { kind: 'build', build: buildFromWire(build) };
  if (merge) return { kind: 'merge', merge: { inputs: list(merge, 'inputs').map((input) => num(input, 'input')) } };
  if (diff) {
    const lower = sub(diff, 'lower');
    const upper = sub(diff, 'upper');
    if (!lower || !upper) throw malformed('invalid diff op with nil lower or upper input');
    return { kind: 'diff', diff: { lower: num(lower, 'input'), upper: num(upper, 'input') } };
  }
  if (passthrough)
    return {
      kind: 'passthrough',
      passthrough: { id: str(passthrough, 'id'), outputs: numbers(passthrough, 'outputs') },
    };
  return { kind: 'pointer' };
}

function bodyToWire(body: OpBody): WireMessage {
  switch (body.kind) {
    case 'exec':
      return { exec: execToWire(body.exec) };
    case 'source':
      return { source: sourceToWire(body.source) };
    case 'file':
      return { file: fileToWire(body.file) };
    case 'build':
      return { build: buildToWire(body.build) };
    case 'merge':
      return { merge: { inputs: body.merge.inputs.map((input) => ({ input })) } };
    case 'diff':
      return { diff: { lower: { input: body.diff.lower }, upper: { input: body.diff.upper } } };
    case 'passthrough':
      return { passthrough: { id: body.passthrough.id, outputs: body.passthrough.outputs } };
    case 'pointer':
      return {};
  }
}

function sourceFromWire(wire: WireMessage): SourceOp {
  return { identifier: str(wire, 'identifier'), attrs: record(wire, 'attrs', (value) => value as string) };
}

function sourceToWire(source: SourceOp): WireMessage {
  return { identifier: source.identifier, attrs: toMap(source.attrs, (value) => value) };
}

export function execFromWire(wire: WireMessage): ExecOp {
  const meta = sub(wire, 'meta');
  if (!meta) throw malformed('invalid exec op with no meta');
  return {
    meta: metaFromWire(meta),
    mounts: list(wire, 'mounts').map(mountFromWire),
    network: networks.read(wire, 'network'),
    security: securities.read(wire, 'security'),
    secretEnv: list(wire, 'secretenv').map((env) => ({
      id: str(env, 'id'),
      name: str(env, 'name'),
      optional: bool(env, 'optional'),
    })),
    cdiDevices: list(wire, 'cdiDevices').map((device) => ({
      name: str(device, 'name'),
      optional: bool(device, 'optional'),
    })),
  };
}

function execToWire(exec: ExecOp): WireMessage {
  return {
    meta: metaToWire(exec.meta),
    mounts: exec.mounts.map(mountToWire),
    network: networks.write(exec.network),
    security: securities.write(exec.security),
    secretenv: exec.secretEnv.map((env) => ({ ...env })),
    cdiDevices: exec.cdiDevices.map((device) => ({ ...device })),
  };
}

/** pb.Meta, as exec ops and gateway processes carry it. */
function metaFromWire(wire: WireMessage): ExecMeta {
  const proxy = sub(wire, 'proxyEnv');
  return compact({
    args: strings(wire, 'args'),
    env: strings(wire, 'env'),
    cwd: str(wire, 'cwd'),
    user: str(wire, 'user'),
    proxyEnv: proxy && {
      httpProxy: str(proxy, 'httpProxy'),
      httpsProxy: str(proxy, 'httpsProxy'),
      ftpProxy: str(proxy, 'ftpProxy'),
      noProxy: str(proxy, 'noProxy'),
      allProxy: str(proxy, 'allProxy'),
    },
    extraHosts: list(wire, 'extraHosts').map((host) => ({ host: str(host, 'host'), ip: str(host, 'ip') })),
    hostname: str(wire, 'hostname'),
    ulimits: list(wire, 'ulimit').map((limit) => ({
      name: str(limit, 'name'),
      soft: num(limit, 'soft'),
      hard: num(limit, 'hard'),
    })),
    cgroupParent: str(wire, 'cgroupParent'),
    removeMountStubsRecursive: bool(wire, 'removeMountStubsRecursive'),
    validExitCodes: numbers(wire, 'validExitCodes'),
  });
}

function metaToWire(meta: ExecMeta): WireMessage {
  const { proxyEnv, ulimits, extraHosts, ...rest } = meta;
  return {
    ...rest,
    proxyEnv: proxyEnv && { ...proxyEnv },
    extraHosts: extraHosts.map((host) => ({ ...host })),
    ulimit: ulimits.map((limit) => ({ ...limit })),
  };
}

/** pb.Mount, as exec ops and gateway containers carry it. */
function mountFromWire(wire: WireMessage): ExecMount {
  const tmpfs = sub(wire, 'tmpfsOpt');
  const cache = sub(wire, 'cacheOpt');
  const secret = sub(wire, 'secretOpt');
  const ssh = sub(wire, 'sshOpt');
  return compact({
    input: num(wire, 'input'),
    selector: str(wire, 'selector'),
    dest: str(wire, 'dest'),
    output: num(wire, 'output'),
    readonly: bool(wire, 'readonly'),
    type: mountTypes.read(wire, 'mountType'),
    tmpfs: tmpfs && { size: num(tmpfs, 'size') },
    cache: cache && { id: str(cache, 'id'), sharing: sharings.read(cache, 'sharing') },
    secret: secret && secretFromWire(secret),
    ssh: ssh && secretFromWire(ssh),
    resultId: str(wire, 'resultId'),
    contentCache: contentCaches.read(wire, 'contentCache'),
  });
}

function mountToWire(mount: ExecMount): WireMessage {
  return {
    input: mount.input,
    selector: mount.selector,
    dest: mount.dest,
    output: mount.output,
    readonly: mount.readonly,
    mountType: mountTypes.write(mount.type),
    tmpfsOpt: mount.tmpfs && { size: mount.tmpfs.size },
    cacheOpt: mount.cache && { id: mount.cache.id, sharing: sharings.write(mount.cache.sharing) },
    secretOpt: mount.secret && { ...mount.secret },
    sshOpt: mount.ssh && { ...mount.ssh },
    resultId: mount.resultId,
    contentCache: contentCaches.write(mount.contentCache),
  };
}

function secretFromWire(wire: WireMessage): SecretMount {
  return {
    id: str(wire, 'id'),
    uid: num(wire, 'uid'),
    gid: num(wire, 'gid'),
    mode: num(wire, 'mode'),
    optional: bool(wire, 'optional'),
  };
}

function buildFromWire(wire: WireMessage): BuildOp {
  const definition = sub(wire, 'def');
  return compact({
    builder: num(wire, 'builder'),
    inputs: record(wire, 'inputs', (input) => num(input as WireMessage, 'input')),
    definition: definition && definitionFromWire(definition),
    attrs: record(wire, 'attrs', (value) => value as string),
  });
}

function buildToWire(build: BuildOp): WireMessage {
  return {
    builder: build.builder,
    inputs: toMap(build.inputs, (input) => ({ input })),
    def: build.definition && definitionToWire(build.definition),
    attrs: toMap(build.attrs, (value) => value),
  };
}
