export { OverlaySnapshotter, type OverlaySnapshotterOptions } from './overlay.ts';
