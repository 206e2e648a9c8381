import { invalidArgument } from '../../base/index.ts';
import { type Build, type BuildSpec, checkBuild } from '../../resources/index.ts';
import type { BuildCommand } from '../command-line.ts';

type Sign = BuildSpec['sign'];

/** Names where a manifest has those of Secrets: the flags themselves give what would be in these. */
const GIVEN = { name: 'given-by-a-flag' };

/** The manifest with what flags say of signatures and attestations. @throws CodedError invalid_argument for flags that do not fit it or each other */
export function withFlags(
  build: Build,
  command: BuildCommand,
  env: Readonly<Record<string, string | undefined>>,
): Build {
  const { sign, attestations, ...rest } = build.spec;
  const signing = withServices(sign ?? signOf(command, env), command);
  const attested = attestationsOf(attestations, command);
  const spec = {
    ...rest,
    ...(signing === undefined ? {} : { sign: signing }),
    ...(attested === undefined ? {} : { attestations: attested }),
  };
  return checkBuild({ ...build, spec }, `${command.file}, with the flags,`);
}

/** What stands for a manifest's `spec.sign`. */
function signOf(
  { signKey, signToken, fulcioUrl, rekorUrl, noTlog }: BuildCommand,
  env: Readonly<Record<string, string | undefined>>,
): Sign {
  if (signKey !== undefined && signToken !== undefined)
    throw invalidArgument('--sign-key and --sign-identity-token exclude each other');
  if (signKey !== undefined) return { secretRef: GIVEN };
  const isInEnvironment = fulcioUrl !== undefined && Boolean(env['SIGSTORE_ID_TOKEN']);
  if (signToken !== undefined || isInEnvironment) return { keyless: { tokenSecretRef: GIVEN } };
  const other = Object.entries({
    '--fulcio-url': fulcioUrl,
    '--rekor-url': rekorUrl,
    '--no-tlog': noTlog || undefined,
  });
  const flag = other.find(([, value]) => value !== undefined)?.[0];
  if (flag === undefined) return undefined;
  throw invalidArgument(`${flag}: nothing is signed: the manifest has no spec.sign`, {
    hint: 'give --sign-key FILE or --sign-identity-token FILE',
  });
}

function withServices(sign: Sign, { fulcioUrl, rekorUrl, noTlog }: BuildCommand): Sign {
  if (sign === undefined) return undefined;
  if (fulcioUrl !== undefined && sign.keyless === undefined)
    throw invalidArgument('--fulcio-url: a key signs; certificates are for an identity (spec.sign.keyless)');
  if (noTlog && rekorUrl !== undefined) throw invalidArgument('--no-tlog and --rekor-url exclude each other');
  const keyless = sign.keyless && { ...sign.keyless, ...(fulcioUrl === undefined ? {} : { fulcioUrl }) };
  return {
    ...sign,
    ...(keyless === undefined ? {} : { keyless }),
    ...(rekorUrl === undefined ? {} : { rekorUrl }),
    // A log that is named is to be used.
    ...(rekorUrl !== undefined && sign.tlog === false ? { tlog: true } : {}),
    ...(noTlog ? { tlog: false } : {}),
  };
}

function attestationsOf(said: BuildSpec['attestations'], { attestations: flags }: BuildCommand): object | undefined {
  const all = Object.entries({ ...said, ...flags }).filter(([, one]) => one !== false && one !== undefined);
  return all.length === 0 ? undefined : Object.fromEntries(all);
}
