export type { MountOptions, RunOptions, SecretOptions, SshOptions } from './exec.ts';
export { type CopyOptions, FileActions, type Owner } from './file-actions.ts';
export { type GitRemote, parseGitUrl } from './git-url.ts';
export { type MarshalOptions, marshalOutput } from './marshal.ts';
export type { FileSystem, Output, StateValues } from './node.ts';
export type { SourceFile, StepOptions } from './options.ts';
export { givenOutput, type InputIndex, lateOutput, type RawStep, rawStep } from './raw.ts';
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
export { diff, ExecState, merge, State, scratch, withImageConfig } from './state.ts';
