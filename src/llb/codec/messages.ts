import { many, map, message, one, oneof, type Schema } from './schema.ts';

// Package pb: number, name and type of every field.

export const Op: Schema = message('Op', [
  many(1, 'inputs', () => Input),
  oneof(2, 'exec', () => ExecOp, 'op'),
  oneof(3, 'source', () => SourceOp, 'op'),
  oneof(4, 'file', () => FileOp, 'op'),
  oneof(5, 'build', () => BuildOp, 'op'),
  oneof(6, 'merge', () => MergeOp, 'op'),
  oneof(7, 'diff', () => DiffOp, 'op'),
  oneof(8, 'passthrough', () => PassthroughOp, 'op'),
  one(10, 'platform', () => Platform),
  one(11, 'constraints', () => WorkerConstraints),
]);

export const Platform: Schema = message('Platform', [
  one(1, 'architecture', 'string'),
  one(2, 'os', 'string'),
  one(3, 'variant', 'string'),
  one(4, 'osVersion', 'string'),
  many(5, 'osFeatures', 'string'),
]);

export const Input: Schema = message('Input', [one(1, 'digest', 'string'), one(2, 'index', 'int64')]);

export const ExecOp: Schema = message('ExecOp', [
  one(1, 'meta', () => Meta),
  many(2, 'mounts', () => Mount),
  one(3, 'network', 'int32'),
  one(4, 'security', 'int32'),
  many(5, 'secretenv', () => SecretEnv),
  many(6, 'cdiDevices', () => CDIDevice),
]);

export const Meta: Schema = message('Meta', [
  many(1, 'args', 'string'),
  many(2, 'env', 'string'),
  one(3, 'cwd', 'string'),
  one(4, 'user', 'string'),
  one(5, 'proxyEnv', () => ProxyEnv),
  many(6, 'extraHosts', () => HostIP),
  one(7, 'hostname', 'string'),
  many(9, 'ulimit', () => Ulimit),
  one(10, 'cgroupParent', 'string'),
  one(11, 'removeMountStubsRecursive', 'bool'),
  many(12, 'validExitCodes', 'int32'),
]);

export const HostIP: Schema = message('HostIP', [one(1, 'host', 'string'), one(2, 'ip', 'string')]);

export const Ulimit: Schema = message('Ulimit', [
  one(1, 'name', 'string'),
  one(2, 'soft', 'int64'),
  one(3, 'hard', 'int64'),
]);

export const SecretEnv: Schema = message('SecretEnv', [
  one(1, 'id', 'string'),
  one(2, 'name', 'string'),
  one(3, 'optional', 'bool'),
]);

export const CDIDevice: Schema = message('CDIDevice', [one(1, 'name', 'string'), one(2, 'optional', 'bool')]);

export const Mount: Schema = message('Mount', [
  one(1, 'input', 'int64'),
  one(2, 'selector', 'string'),
  one(3, 'dest', 'string'),
  one(4, 'output', 'int64'),
  one(5, 'readonly', 'bool'),
  one(6, 'mountType', 'int32'),
  one(19, 'tmpfsOpt', () => TmpfsOpt),
  one(20, 'cacheOpt', () => CacheOpt),
  one(21, 'secretOpt', () => SecretOpt),
  one(22, 'sshOpt', () => SSHOpt),
  one(23, 'resultId', 'string'),
  one(24, 'contentCache', 'int32'),
]);

export const TmpfsOpt: Schema = message('TmpfsOpt', [one(1, 'size', 'int64')]);

export const CacheOpt: Schema = message('CacheOpt', [one(1, 'id', 'string'), one(2, 'sharing', 'int32')]);

export const SecretOpt: Schema = message('SecretOpt', [
  one(1, 'id', 'string'),
  one(2, 'uid', 'uint32'),
  one(3, 'gid', 'uint32'),
  one(4, 'mode', 'uint32'),
  one(5, 'optional', 'bool'),
]);

export const SSHOpt: Schema = message('SSHOpt', [
  one(1, 'id', 'string'),
  one(2, 'uid', 'uint32'),
  one(3, 'gid', 'uint32'),
  one(4, 'mode', 'uint32'),
  one(5, 'optional', 'bool'),
]);

export const SourceOp: Schema = message('SourceOp', [one(1, 'identifier', 'string'), map(2, 'attrs', 'string')]);

export const BuildOp: Schema = message('BuildOp', [
  one(1, 'builder', 'int64'),
  map(2, 'inputs', () => BuildInput),
  one(3, 'def', () => Definition),
  map(4, 'attrs', 'string'),
]);

export const BuildInput: Schema = message('BuildInput', [one(1, 'input', 'int64')]);

export const OpMetadata: Schema = message('OpMetadata', [
  one(1, 'ignoreCache', 'bool'),
  map(2, 'description', 'string'),
  one(4, 'exportCache', () => ExportCache),
  map(5, 'caps', 'bool'),
  one(6, 'progressGroup', () => ProgressGroup),
  one(7, 'linuxResources', () => LinuxResources),
]);

export const Source: Schema = message('Source', [
  map(1, 'locations', () => Locations),
  many(2, 'infos', () => SourceInfo),
]);

export const Locations: Schema = message('Locations', [many(1, 'locations', () => Location)]);

export const SourceInfo: Schema = message('SourceInfo', [
  one(1, 'filename', 'string'),
  one(2, 'data', 'bytes'),
  one(3, 'definition', () => Definition),
  one(4, 'language', 'string'),
]);

export const Location: Schema = message('Location', [one(1, 'sourceIndex', 'int32'), many(2, 'ranges', () => Range)]);

export const Range: Schema = message('Range', [one(1, 'start', () => Position), one(2, 'end', () => Position)]);

export const Position: Schema = message('Position', [one(1, 'line', 'int32'), one(2, 'character', 'int32')]);

export const ExportCache: Schema = message('ExportCache', [one(1, 'value', 'bool')]);

export const ProgressGroup: Schema = message('ProgressGroup', [
  one(1, 'id', 'string'),
  one(2, 'name', 'string'),
  one(3, 'weak', 'bool'),
]);

export const LinuxResources: Schema = message('LinuxResources', [
  one(1, 'memory', 'int64'),
  one(2, 'memorySwap', 'int64'),
  one(3, 'cpuShares', 'uint64'),
  one(4, 'cpuPeriod', 'uint64'),
  one(5, 'cpuQuota', 'int64'),
  one(6, 'cpusetCpus', 'string'),
  one(7, 'cpusetMems', 'string'),
]);

export const ProxyEnv: Schema = message('ProxyEnv', [
  one(1, 'httpProxy', 'string'),
  one(2, 'httpsProxy', 'string'),
  one(3, 'ftpProxy', 'string'),
  one(4, 'noProxy', 'string'),
  one(5, 'allProxy', 'string'),
]);

export const WorkerConstraints: Schema = message('WorkerConstraints', [many(1, 'filter', 'string')]);

export const Definition: Schema = message('Definition', [
  many(1, 'def', 'bytes'),
  map(2, 'metadata', () => OpMetadata),
  one(3, 'source', () => Source),
]);

export const FileOp: Schema = message('FileOp', [many(2, 'actions', () => FileAction)]);

export const FileAction: Schema = message('FileAction', [
  one(1, 'input', 'int64'),
  one(2, 'secondaryInput', 'int64'),
  one(3, 'output', 'int64'),
  oneof(4, 'copy', () => FileActionCopy, 'action'),
  oneof(5, 'mkfile', () => FileActionMkFile, 'action'),
  oneof(6, 'mkdir', () => FileActionMkDir, 'action'),
  oneof(7, 'rm', () => FileActionRm, 'action'),
  oneof(8, 'symlink', () => FileActionSymlink, 'action'),
]);

export const FileActionCopy: Schema = message('FileActionCopy', [
  one(1, 'src', 'string'),
  one(2, 'dest', 'string'),
  one(3, 'owner', () => ChownOpt),
  one(4, 'mode', 'int32'),
  one(5, 'followSymlink', 'bool'),
  one(6, 'dirCopyContents', 'bool'),
  one(7, 'attemptUnpackDockerCompatibility', 'bool'),
  one(8, 'createDestPath', 'bool'),
  one(9, 'allowWildcard', 'bool'),
  one(10, 'allowEmptyWildcard', 'bool'),
  one(11, 'timestamp', 'int64'),
  many(12, 'includePatterns', 'string'),
  many(13, 'excludePatterns', 'string'),
  one(14, 'alwaysReplaceExistingDestPaths', 'bool'),
  one(15, 'modeStr', 'string'),
  many(16, 'requiredPaths', 'string'),
]);

export const FileActionMkFile: Schema = message('FileActionMkFile', [
  one(1, 'path', 'string'),
  one(2, 'mode', 'int32'),
  one(3, 'data', 'bytes'),
  one(4, 'owner', () => ChownOpt),
  one(5, 'timestamp', 'int64'),
]);

export const FileActionSymlink: Schema = message('FileActionSymlink', [
  one(1, 'oldpath', 'string'),
  one(2, 'newpath', 'string'),
  one(3, 'owner', () => ChownOpt),
  one(4, 'timestamp', 'int64'),
]);

export const FileActionMkDir: Schema = message('FileActionMkDir', [
  one(1, 'path', 'string'),
  one(2, 'mode', 'int32'),
  one(3, 'makeParents', 'bool'),
  one(4, 'owner', () => ChownOpt),
  one(5, 'timestamp', 'int64'),
]);

export const FileActionRm: Schema = message('FileActionRm', [
  one(1, 'path', 'string'),
  one(2, 'allowNotFound', 'bool'),
  one(3, 'allowWildcard', 'bool'),
]);

export const ChownOpt: Schema = message('ChownOpt', [one(1, 'user', () => UserOpt), one(2, 'group', () => UserOpt)]);

export const UserOpt: Schema = message('UserOpt', [
  oneof(1, 'byName', () => NamedUserOpt, 'user'),
  oneof(2, 'byId', 'uint32', 'user'),
]);

export const NamedUserOpt: Schema = message('NamedUserOpt', [one(1, 'name', 'string'), one(2, 'input', 'int64')]);

export const MergeInput: Schema = message('MergeInput', [one(1, 'input', 'int64')]);

export const MergeOp: Schema = message('MergeOp', [many(1, 'inputs', () => MergeInput)]);

export const LowerDiffInput: Schema = message('LowerDiffInput', [one(1, 'input', 'int64')]);

export const UpperDiffInput: Schema = message('UpperDiffInput', [one(1, 'input', 'int64')]);

export const DiffOp: Schema = message('DiffOp', [
  one(1, 'lower', () => LowerDiffInput),
  one(2, 'upper', () => UpperDiffInput),
]);

export const PassthroughOp: Schema = message('PassthroughOp', [one(1, 'id', 'string'), many(2, 'outputs', 'int64')]);
