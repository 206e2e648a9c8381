import { LLB_CAPS } from '../../llb/index.ts';

/** What LLB knows and this builder does not do yet: not advertised, so that clients and frontends choose another way or say so. */
const NOT_BUILT: ReadonlySet<string> = new Set([
  'passthroughop',
  'source.imageblob',
  'source.ocilayout',
  'source.buildop.llbfilename',
  'source.local.metadatatransfer',
  'source.git.signatureverify',
  'source.git.bundle',
  'source.git.checkoutbundle',
  'source.http.signatureverify',
  'exec.meta.network.proxy',
  'exec.meta.security.devices.v1',
  'exec.meta.cdi',
  'exporter.session',
  'source.policy',
  'source.policy.session',
]);

/** Capabilities that frontends and clients may use here. */
export const BUILDER_LLB_CAPS: readonly string[] = LLB_CAPS.filter((cap) => !NOT_BUILT.has(cap));
