import { expect, test, vi } from 'vitest';
import { annotate, CodedError } from './errors.ts';
import { pinoLogger } from './pino-logger.ts';

test('an error is told with each of its causes once', () => {
  const lines: string[] = [];
  const written = vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
  const log = pinoLogger({ level: 'info', format: 'text' });
  const root = new Error('connect ECONNREFUSED');
  log.info('failed', { err: annotate(annotate(root, 'HEAD http://x'), 'failed to push x'), build: 'b' });
  log.info('failed', {
    err: new CodedError('internal', 'no such file <builder>/x', { cause: new Error('open /state/x') }),
  });
  log.info('failed', { err: 'a text' });
  written.mockRestore();
  expect(lines.map((line) => line.slice(line.indexOf(' ') + 1))).toEqual([
    'info failed build="b" err="failed to push x: HEAD http://x: connect ECONNREFUSED"\n',
    'info failed err="no such file <builder>/x: open /state/x"\n',
    expect.stringContaining('info failed'),
  ]);
});
