import { digestOf } from '../../../base/index.ts';
import type { FileOp } from '../../../llb/index.ts';
import { fileCacheMap } from './file.ts';
import type { MadeCacheMap } from './op-cache-map.ts';

/** Of a part's value; longer ones are told by their digests. */
const MAX_VALUE = 4096;

/** {@link fileCacheMap} of an op with much in it. */
export function makeFileKeys({
  file,
  inputCount,
}: {
  readonly file: FileOp;
  readonly inputCount: number;
}): MadeCacheMap {
  const { parts, ...made } = fileCacheMap(file, inputCount);
  const told = parts().map((part) =>
    part.value.length <= MAX_VALUE ? part : { ...part, value: digestOf(part.value) },
  );
  return { ...made, parts: told };
}
