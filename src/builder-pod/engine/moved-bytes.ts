import type { ExportContext } from '../exporters/index.ts';

/** Bytes of blobs that an output, or a cache, has brought into registries. */
export interface MovedBytes {
  /** That were sent. */
  readonly pushed: number;
  /** That were there in another repository, from which the blob was mounted. */
  readonly mounted: number;
}

/** Counts them. */
export class MovedTally implements MovedBytes {
  pushed = 0;
  mounted = 0;

  readonly moved: NonNullable<ExportContext['moved']> = (how, bytes) => {
    if (how === 'uploaded') this.pushed += bytes;
    else if (how === 'mounted') this.mounted += bytes;
  };
}
