import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { neverAborted } from '../../../base/index.ts';
import { encodeDefinition, FileActions, scratch } from '../../../llb/index.ts';
import type { FrontendBridge } from '../../frontends/index.ts';

/** What a frontend may ask that is answered alike wherever it runs. */
export type AskedBridge = Pick<
  FrontendBridge,
  'solve' | 'readFile' | 'readDir' | 'statFile' | 'evaluate' | 'resolveImageConfig' | 'inputs'
> & {
  /** Ends the container of this id. */
  release(id: string): Promise<void>;
};

export interface BridgeWorld extends AsyncDisposable {
  readonly bridge: AskedBridge;
  /** A graph that never comes to an end; `reached` when it is waited for, `left` when nobody does any more. */
  hang(): { readonly definition: Uint8Array; readonly reached: Promise<void>; readonly left: Promise<void> };
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const files = new FileActions()
  .mkfile('/file', 0o640, Buffer.from('content'))
  .mkdir('/dir', 0o755)
  .mkfile('/dir/a.txt', 0o644, Buffer.from('a'))
  .mkfile('/dir/b.md', 0o644, Buffer.from('bb'));
const FILES = encodeDefinition(scratch().file(files).marshal());
export const INPUT = scratch()
  .file(new FileActions().mkfile('/input', 0o644, Buffer.alloc(0)))
  .marshal();

/** What a frontend is promised, be it in the builder, in a container or in the client. Worlds are given {@link INPUT} as input `ctx`. */
export function bridgeSuite(name: string, open: () => Promise<BridgeWorld>): void {
  describe(`bridge: ${name}`, () => {
    let world: BridgeWorld;
    let bridge: AskedBridge;
    beforeEach(async () => {
      world = await open();
      bridge = world.bridge;
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const call = { signal: neverAborted };
    const solved = async () => (await bridge.solve({ definition: FILES }, call)).ref!.id;

    test('a graph is a ref, whose files can be read, in parts too', async () => {
      const ref = await solved();
      await bridge.evaluate(ref, call);
      expect(text(await bridge.readFile(ref, '/file', undefined, call))).toBe('content');
      expect(text(await bridge.readFile(ref, 'file', { offset: 1, length: 3 }, call))).toBe('ont');
      expect(text(await bridge.readFile(ref, '/file', { offset: 4 }, call))).toBe('ent');
      expect(text(await bridge.readFile(ref, '/file', { offset: 4, length: 100 }, call))).toBe('ent');
    });

    test('what lies there is told, by pattern where one is given', async () => {
      const ref = await solved();
      const file = await bridge.statFile(ref, '/file', call);
      expect({ ...file, mode: file.mode & 0o777 }).toMatchObject({ path: 'file', size: 7, mode: 0o640, linkname: '' });
      const all = await bridge.readDir(ref, '/dir', undefined, call);
      expect(all.map(({ path, size }) => [path, size])).toEqual([
        ['a.txt', 1],
        ['b.md', 2],
      ]);
      expect((await bridge.readDir(ref, '/dir', '*.md', call)).map(({ path }) => path)).toEqual(['b.md']);
    });

    test('what is not there is told as that', async () => {
      const ref = await solved();
      const missing = { code: 'not_found', message: expect.stringContaining('nothing') };
      await expect(bridge.readFile(ref, '/nothing', undefined, call)).rejects.toMatchObject(missing);
      await expect(bridge.statFile(ref, '/nothing', call)).rejects.toMatchObject(missing);
      await expect(bridge.readDir(ref, '/nothing', undefined, call)).rejects.toMatchObject(missing);
      for (const [id, message] of [
        ['none', 'no such ref: none'],
        ['', 'the ref is scratch'],
      ] as const)
        await expect(bridge.readFile(id, '/file', undefined, call)).rejects.toMatchObject({
          ...{ code: 'not_found', fault: 'user', message: expect.stringContaining(message) },
        });
      await expect(bridge.release('none')).rejects.toMatchObject({ code: 'not_found' });
      await expect(bridge.solve({ frontend: 'none' }, call)).rejects.toMatchObject({ fault: 'user' });
    });

    test('nothing is scratch, and evaluating it is nothing', async () => {
      const { ref } = await bridge.solve({}, call);
      expect(ref?.id ?? '').toBe('');
      await bridge.evaluate('', call);
    });

    test('a name that means no image is the user’s matter', async () => {
      const request = { reference: 'example.org/UPPER', resolveMode: '', logName: '' };
      await expect(bridge.resolveImageConfig(request, call)).rejects.toMatchObject({ fault: 'user' });
    });

    test('inputs are the graphs that it was given', async () => {
      const inputs = await bridge.inputs(call);
      expect([...inputs.keys()]).toEqual(['ctx']);
      expect(Buffer.from(encodeDefinition(inputs.get('ctx')!))).toEqual(Buffer.from(encodeDefinition(INPUT)));
    });

    test('who goes is let go, what it waited for ends, and the next one is served', async () => {
      const { definition, reached, left } = world.hang();
      const controller = new AbortController();
      const work = bridge.solve({ definition, evaluate: true }, { signal: controller.signal });
      await reached;
      controller.abort(new Error('enough'));
      await expect(work).rejects.toThrow();
      await left;
      const gone = { signal: AbortSignal.abort(new Error('enough')) };
      await expect(bridge.solve({ definition: FILES, evaluate: true }, gone)).rejects.toThrow();
      expect(text(await bridge.readFile(await solved(), '/file', undefined, call))).toBe('content');
    });
  });
}
