import type { wire } from '../../builder-api/index.ts';
import { BUILDER_LLB_CAPS } from '../engine/index.ts';

type Cap = wire.moby.buildkit.v1.apicaps.APICap.$Properties;

/** What frontends may call. */
const FRONTEND_CAPS = [
  'solve.base',
  'solve.inlinereturn',
  'resolveimage',
  'resolveimage.resolvemode',
  'readfile',
  'return',
  'returnmap',
  'readdir',
  'statfile',
  'importcaches',
  'proto.refarray',
  'reference.output',
  'frontend.inputs',
  'gateway.solve.metadata',
  'gateway.exec',
  'gateway.exec.extrahosts',
  'gateway.exec.filesystem',
  'gateway.exec.secretenv',
  'gateway.exec.signals',
  'frontend.caps',
  'gateway.solve.evaluate',
  'gateway.evaluate',
  'gateway.warnings',
  'source.metaresolver',
];

const enabled = (id: string): Cap => ({ id, enabled: true });

export const frontendCaps: readonly Cap[] = FRONTEND_CAPS.map(enabled);
export const llbCaps: readonly Cap[] = BUILDER_LLB_CAPS.map(enabled);
