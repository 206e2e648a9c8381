/** A check of how a Dockerfile is written; it never changes what is built. */
export interface LintRule {
  readonly name: string;
  readonly description: string;
  readonly url: string;
  /** Runs only when a check directive asks for it. */
  readonly experimental: boolean;
}

function rule(name: string, description: string, experimental = false): LintRule {
  const slug = name.replace('JSON', 'Json').replace(/(?<=[a-z])(?=[A-Z])/g, '-');
  return { name, description, url: `https://docs.docker.com/go/dockerfile/rule/${slug.toLowerCase()}/`, experimental };
}

/** The rules of the field under their names, so that `skip=` lists written for other builders hold. */
export const LINT_RULES = {
  stageNameCasing: rule('StageNameCasing', 'Write stage names in lower case'),
  fromAsCasing: rule('FromAsCasing', 'Write AS in the same case as FROM'),
  noEmptyContinuation: rule('NoEmptyContinuation', 'An empty line inside a continued instruction will stop working'),
  consistentInstructionCasing: rule('ConsistentInstructionCasing', 'Write all instructions in the same case'),
  duplicateStageName: rule('DuplicateStageName', 'Give each stage a name of its own'),
  reservedStageName: rule('ReservedStageName', 'Some words cannot name a stage'),
  jsonArgsRecommended: rule(
    'JSONArgsRecommended',
    'Signals reach the program only when ENTRYPOINT and CMD are written as JSON',
  ),
  maintainerDeprecated: rule('MaintainerDeprecated', 'Name the author with a label instead of MAINTAINER'),
  undefinedArgInFrom: rule('UndefinedArgInFrom', 'FROM may use only ARGs declared before it'),
  workdirRelativePath: rule('WorkdirRelativePath', 'A relative WORKDIR depends on what the base image sets'),
  undefinedVar: rule('UndefinedVar', 'Declare a variable before its use'),
  multipleInstructionsDisallowed: rule('MultipleInstructionsDisallowed', 'Only the last of these in a stage counts'),
  legacyKeyValueFormat: rule('LegacyKeyValueFormat', 'Write key=value, not key value'),
  invalidBaseImagePlatform: rule('InvalidBaseImagePlatform', 'The base image is of another platform than the target'),
  redundantTargetPlatform: rule('RedundantTargetPlatform', 'The target platform is the default of FROM already'),
  secretsUsedInArgOrEnv: rule('SecretsUsedInArgOrEnv', 'What ARG and ENV hold can be read in the image'),
  invalidDefaultArgInFrom: rule('InvalidDefaultArgInFrom', 'Without build arguments the base image has no valid name'),
  fromPlatformFlagConstDisallowed: rule('FromPlatformFlagConstDisallowed', 'Let FROM --platform follow a variable'),
  copyIgnoredFile: rule('CopyIgnoredFile', 'The ignore file keeps this source out of the context'),
  invalidDefinitionDescription: rule(
    'InvalidDefinitionDescription',
    'A comment right above a stage or argument describes it when it starts with its name',
    true,
  ),
  exposeProtoCasing: rule('ExposeProtoCasing', 'Write the protocol of EXPOSE in lower case'),
  exposeInvalidFormat: rule('ExposeInvalidFormat', 'EXPOSE takes ports of the container only'),
} as const satisfies Readonly<Record<string, LintRule>>;
