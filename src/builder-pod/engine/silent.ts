import type { VertexProgress } from '../../solver/index.ts';

/** Of work that nobody is to see. */
export const SILENT: VertexProgress = { status() {}, log() {}, warn() {} };
