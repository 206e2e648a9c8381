import { CodedError } from '../../base/index.ts';
import type { ExportContext, ExporterDeps, SessionFileSender } from './ports.ts';

/** The client's file receiver. @throws CodedError failed_precondition when it takes no files */
export async function requireSender(deps: ExporterDeps, context: ExportContext): Promise<SessionFileSender> {
  const sender = await deps.fileSender?.(context.sessions(), { signal: context.signal });
  if (sender !== undefined) return sender;
  throw CodedError.of('EXPORT_CLIENT', 'the build client takes no files', {
    hint: 'give the output a destination, e.g. --output type=local,dest=out',
  });
}
