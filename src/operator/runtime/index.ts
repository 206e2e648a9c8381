/** What every controller needs of a cluster. Nothing here knows a Build. */
export { apiError, KubeError } from './api-errors.ts';
export { Controller, type ControllerOptions } from './controller.ts';
export { startEventRecorder } from './events.ts';
export { backoff, startInformer } from './informer.ts';
export {
  type ClientMetrics,
  openKubeClient,
  type StreamingKubeClient,
  UNCOUNTED,
  uncheckedType,
} from './kube-client.ts';
export { leadWhileHolding } from './leader.ts';
export { clip, plainText, plainTexts } from './plain-text.ts';
export * from './ports.ts';
