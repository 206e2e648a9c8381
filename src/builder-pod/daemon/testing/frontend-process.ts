import { Duplex } from 'node:stream';
import { neverAborted } from '../../../base/index.ts';
import { ConnectionChannel, clientOf, LLBBridge } from '../../../builder-api/index.ts';

/** A frontend as a program: drives its build over its standard streams, and says what it saw of its own container. */
const options = { signal: neverAborted };
// Node's types name only streams of the web here.
const streams = { readable: process.stdin, writable: process.stdout } as unknown as Iterable<Uint8Array>;
const channel = new ConnectionChannel(Duplex.from(streams));
const gateway = clientOf(LLBBridge, channel);
await gateway.ping({}, options);
const { result } = await gateway.solve({ allowResultReturn: true }, options);
const ref = result?.ref?.id ?? '';
const { data } = await gateway.readFile({ ref, filePath: 'file' }, options);
const metadata = { read: data ?? new Uint8Array(), pid: Buffer.from(String(process.pid)) };
await gateway.return({ result: { ref: { id: ref }, metadata } }, options);
process.stderr.write('returned');
process.exit(0);
