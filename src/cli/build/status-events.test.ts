import { expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { timestampOf, wire } from '../../builder-api/index.ts';
import { openDisplay } from '../progress/display.ts';
import { statusEvents } from './status-events.ts';

test('what one response has of a step is printed before its end', () => {
  const vertex = digestOf('exporting to image');
  const [started, completed] = [timestampOf(1000), timestampOf(3000)];
  const row = (id: string) => ({ vertex, id, started, completed, timestamp: completed });
  const { StatusResponse } = wire.moby.buildkit.v1;
  const sent = StatusResponse.encode({
    vertexes: [
      { digest: vertex, name: 'exporting to image', started },
      { digest: vertex, name: 'exporting to image', started, completed },
      { digest: digestOf('other'), name: 'other', started, completed },
    ],
    statuses: [row('pushing layers'), row('pushing manifest')],
    logs: [{ vertex, stream: 1, msg: Buffer.from('a line\n'), timestamp: completed }],
  });
  const response = StatusResponse.decode(sent.finish());
  const out: string[] = [];
  using display = openDisplay(
    'plain',
    { write: (text) => out.push(text), isTTY: false, columns: 80, rows: 24 },
    () => 0,
  );
  for (const event of statusEvents(response)) display.event(event);
  expect(out.join('')).toBe(
    '#1 exporting to image\n#2 other\n#2 DONE 2.0s\n\n#1 pushing layers 2.0s done\n#1 pushing manifest 2.0s done\n#1 2.000 a line\n#1 DONE 2.0s\n\n',
  );
});
