export type { MountOptions, RunOptions, SecretOptions, SshOptions } from './exec.ts';
export { type CopyOptions, FileActions, type Owner } from './file-actions.ts';
export { type GitRemote, parseGitUrl } from './git-url.ts';
export { inputsFirst, type MarshalOptions, marshalOutput } from './marshal.ts';
export { EMPTY_METADATA, mergeMetadata, pointerMetadata, type SourceFile, type StepOptions } from './options.ts';
export {
  type GitOptions,
  git,
  type HttpOptions,
  http,
  type ImageOptions,
  image,
  type LocalOptions,
  local,
  type OciLayoutOptions,
  ociLayout,
  source,
} from './sources.ts';
export { diff, ExecState, merge, State, type StateValues, scratch, withImageConfig } from './state.ts';
