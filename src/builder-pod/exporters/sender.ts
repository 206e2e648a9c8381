import { CodedError } from '../../base/index.ts';
import type { ExportContext, ExporterDeps, SessionFileSender } from './ports.ts';

/** The client's file receiver. @throws CodedError failed_precondition when it takes no files */
export function requireSender(deps: ExporterDeps, context: ExportContext): SessionFileSender {
  const sender = deps.fileSender?.(context.sessions());
  if (sender !== undefined) return sender;
  throw new CodedError('failed_precondition', 'the build client takes no files', {
    fault: 'user',
    reason: 'EXPORT_CLIENT',
    hint: 'give the output a destination, e.g. --output type=local,dest=out',
  });
}
