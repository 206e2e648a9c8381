import {
  annotate,
  CodedError,
  type Descriptor,
  type Digest,
  type ImageReference,
  imagePackageUrl,
} from '../../base/index.ts';
import { describeDocument } from '../../oci/manifest/index.ts';
import { type BlobSource, pushError, RegistryError } from '../../oci/registry-client/index.ts';
import {
  attachBundles,
  attachEnvelopes,
  bundleBlob,
  checkLoggable,
  imageStatement,
  keylessSigner,
  loggedKeySigner,
  SIGNED_IMAGE,
  type Signer,
  SigningKey,
  sealStatement,
  signImage,
} from '../../oci/signature/index.ts';
import type { AssembledExport } from './assemble.ts';
import { type AttestedStatement, MOST_HELD, STATEMENT_TYPE } from './attestations.ts';
import type { ExportOptions } from './attributes.ts';
import type { ExportContext, ExporterDeps, PushRepository } from './ports.ts';
import { withRow } from './progress.ts';

const PUBLIC_FULCIO = 'https://fulcio.sigstore.dev';
const PUBLIC_REKOR = 'https://rekor.sigstore.dev';

/** Who is to sign, by ids of the client's secrets, and with whom. */
export interface Signing {
  readonly by:
    | { readonly kind: 'key'; readonly key: string; readonly password: string | undefined }
    | { readonly kind: 'token'; readonly token: string; readonly fulcioUrl: string };
  /** Of the transparency log; undefined for none. */
  readonly rekorUrl: string | undefined;
}

/**
 * `sign-key=ID` and `sign-password=ID`, or `sign-identity-token=ID` and `sign-fulcio-url=URL`: secrets of the client; `sign-rekor-url=URL` and `sign-tlog=BOOL`. All Slipway's own.
 * @throws CodedError for what would sign nothing
 */
export function signingOptions(options: ExportOptions, push: boolean): Signing | undefined {
  const text = (key: string) => options.text(key) || undefined;
  const url = (key: string) => checkedUrl(key, text(key));
  const empty = ['sign-key', 'sign-identity-token'].find((name) => options.text(name) === '');
  if (empty !== undefined)
    throw CodedError.of('EXPORT_ATTRIBUTE', `${empty} is empty: nothing would be signed`, {
      hint: 'give the id of a secret, or leave it out',
    });
  const [key, password, token] = [text('sign-key'), text('sign-password'), text('sign-identity-token')];
  const [fulcioUrl, rekorUrl] = [url('sign-fulcio-url'), url('sign-rekor-url')];
  const isLogged = options.boolean('sign-tlog', token !== undefined || rekorUrl !== undefined, { empty: true });
  const refuse = (message: string) =>
    CodedError.of('EXPORT_ATTRIBUTE', message, { hint: 'signatures lie beside the image in its registry' });
  if (key !== undefined && token !== undefined)
    throw refuse('sign-key and sign-identity-token are both given: who signs?');
  const needs = { 'sign-password': [password, key], 'sign-fulcio-url': [fulcioUrl, token] } as const;
  for (const [name, [given, needed]] of Object.entries(needs))
    if (given !== undefined && needed === undefined)
      throw refuse(`${name} is given without ${name === 'sign-password' ? 'sign-key' : 'sign-identity-token'}`);
  if (key === undefined && token === undefined) {
    if (rekorUrl !== undefined) throw refuse('sign-rekor-url is given without sign-key or sign-identity-token');
    return undefined;
  }
  if (!push) throw refuse(`${key === undefined ? 'sign-identity-token' : 'sign-key'} needs push=true`);
  return {
    by:
      key === undefined
        ? { kind: 'token', token: token as string, fulcioUrl: fulcioUrl ?? PUBLIC_FULCIO }
        : { kind: 'key', key, password },
    rekorUrl: isLogged ? (rekorUrl ?? PUBLIC_REKOR) : undefined,
  };
}

function checkedUrl(key: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw CodedError.of('EXPORT_ATTRIBUTE', `${key} is no address of a service: ${JSON.stringify(text)}`, {
      hint: `write ${key}=https://host`,
    });
  return text.replace(/\/+$/, '');
}

type SignDeps = Pick<ExporterDeps, 'openRepository' | 'secret' | 'streams' | 'bulk' | 'content'>;

/** Finds before anything is pushed what could not be signed then. @throws CodedError EXPORT_ATTESTATION */
export function checkSignable({ statements }: Pick<AssembledExport, 'statements'>, { rekorUrl }: Signing): void {
  if (rekorUrl === undefined) return;
  for (const { predicateType, descriptor } of statements) checkLoggable({ predicateType, size: descriptor.size });
}

/** How registries say that they take no manifests of this form. */
const NO_REFERRERS: ReadonlySet<number> = new Set([400, 404, 405, 406, 415, 422, 501]);

/** Signs what was pushed, and what is attested of it, once in each repository: in the form of old verifiers, and of new ones. */
export async function signPushed(
  { root, statements, manifests }: Pick<AssembledExport, 'root' | 'statements' | 'manifests'>,
  names: readonly ImageReference[],
  { insecure, signing }: { readonly insecure: boolean; readonly signing: Signing },
  deps: SignDeps,
  context: ExportContext,
): Promise<void> {
  const { signal, sessions, owner, progress } = context;
  const attaching = { signal, worker: { pool: deps.bulk, owner } };
  await using files = new AsyncDisposableStack();
  const { signer, signature, sealed } = await sealAll().catch((error: unknown) => {
    signal.throwIfAborted();
    throw annotate(error, 'pushed, but not signed');
  });
  for (const [, references] of Map.groupBy(names, ({ domain, path }) => `${domain}/${path}`)) {
    const { domain, path } = references[0] as ImageReference;
    await withRow(context, `signing ${domain}/${path}@${root.digest}`, async () => {
      const repository = deps.openRepository({ domain, path }, { insecure, sessions });
      try {
        await signImage(repository, { domain, path, digest: root.digest }, signer, attaching);
        const attested = Map.groupBy(sealed, ({ of }) => of);
        if (sealed.length > 0) attested.set(root.digest, sealed);
        for (const [digest, envelopes] of attested)
          await attachEnvelopes(repository, digest, envelopes, signer, attaching);
        attested.set(root.digest, [signature, ...sealed]);
        await attachAll(repository, attested);
      } catch (error) {
        signal.throwIfAborted();
        throw pushError(error, `failed to sign ${domain}/${path}@${root.digest}`);
      }
    });
  }

  async function attachAll(repository: PushRepository, all: ReadonlyMap<Digest, readonly Sealed[]>) {
    try {
      for (const [digest, envelopes] of all) {
        const bundles = envelopes.map(({ bundle, blob }) => ({ bundle, blob: bundleBlob(bundle, blob) }));
        await attachBundles(repository, descriptorOf(digest), bundles, signer, attaching);
      }
    } catch (error) {
      if (!(error instanceof RegistryError && NO_REFERRERS.has(error.status))) throw error;
      progress.warn({
        level: 1,
        short: `the registry takes no bundles of signatures, verifiers find those of the older form: ${error.message}`,
      });
    }
  }

  async function sealAll() {
    const signer = await openSigner(signing, deps, context);
    const sealOne = async (one: AttestedStatement) => await seal(one, { root, names, signer }, deps, files, context);
    const sealed: Sealed[] = [];
    if (statements.length > 0)
      await withRow(context, `signing attestations of ${root.digest}`, async () => {
        for (const one of statements) sealed.push(await sealOne(one));
      });
    const { descriptor, bytes } = describeDocument(STATEMENT_TYPE, imageStatement(root.digest));
    const signature = await sealOne({ subject: root.digest, predicateType: SIGNED_IMAGE, descriptor, bytes });
    return { signer, signature, sealed };
  }

  function descriptorOf(digest: Digest): Descriptor {
    const found = [root, ...manifests.map(({ descriptor }) => descriptor)].find((one) => one.digest === digest);
    if (found === undefined) throw CodedError.of('INVARIANT', `${digest} is attested, and is no manifest of the image`);
    return found;
  }
}

/** @throws CodedError where it cannot be had */
export async function openSigner(
  { by, rekorUrl }: Signing,
  { secret: secretOf, streams }: Pick<SignDeps, 'secret' | 'streams'>,
  { signal, sessions }: Pick<ExportContext, 'signal' | 'sessions'>,
): Promise<Signer> {
  const secret = async (id: string) => await secretOf?.(id, sessions(), { signal });
  const required = async (what: string, id: string, file: string) => {
    const value = await secret(id);
    if (value !== undefined) return value;
    throw CodedError.of('SECRET_MISSING', `the ${what}, secret ${id}: not found`, {
      hint: `give it to the build, e.g. --secret id=${id},src=${file}`,
    });
  };
  if (by.kind === 'token')
    return await keylessSigner(
      await required('identity token', by.token, 'token'),
      { streams, rekorUrl, fulcioUrl: by.fulcioUrl },
      { signal },
    );
  const pem = await required('signing key', by.key, 'cosign.key');
  const password = by.password === undefined ? undefined : await secret(by.password);
  return loggedKeySigner(await SigningKey.parse(pem, password), { streams, rekorUrl });
}

type Sealed = Awaited<ReturnType<typeof seal>>;

/** The statement about its platform, and where that is in an index about that as well, so that both lead to it. */
async function seal(
  statement: AttestedStatement,
  { root, names, signer }: { root: AssembledExport['root']; names: readonly ImageReference[]; signer: Signer },
  { bulk, content }: SignDeps,
  files: AsyncDisposableStack,
  { signal, owner }: ExportContext,
) {
  const [, sha256 = ''] = root.digest.split(':');
  const isLarge = statement.descriptor.size > MOST_HELD / 2;
  const file = isLarge ? files.use(await content.temp()).path : undefined;
  const { digest: lies } = statement.descriptor;
  const { layer, bytes, bundle } = await sealStatement(
    {
      predicateType: statement.predicateType,
      size: statement.descriptor.size,
      from: statement.bytes === undefined ? { file: content.path(lies) } : { bytes: statement.bytes },
      subjects:
        statement.subject === root.digest
          ? []
          : names.map((name) => ({ name: imagePackageUrl('docker', name, undefined), digest: { sha256 } })),
      file,
    },
    signer,
    bulk,
    { signal, owner },
  );
  const { digest, size } = layer;
  if (file !== undefined) await content.adopt(file, digest, size, { signal, owner });
  const open: BlobSource['open'] =
    bytes === undefined ? async (options) => content.open(layer, options) : async () => ReadableStream.from([bytes]);
  return { of: statement.subject, layer, blob: { digest, size, open }, bundle };
}
