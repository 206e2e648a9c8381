import { CodedError } from '../../base/index.ts';
import type { Frontend } from './frontend.ts';

/** `gateway.v0`, which would run a frontend image: it says clearly that this builder cannot yet. */
export function gatewayFrontend(): Frontend {
  return {
    name: 'gateway.v0',
    run: async ({ options }) => {
      const source = options.get('source') ?? '';
      const message =
        source === ''
          ? 'no source specified for gateway'
          : `the frontend image ${source} cannot be run: this builder runs its built-in frontends only`;
      throw CodedError.of('FRONTEND_IMAGE_UNSUPPORTED', message, {
        code: source === '' ? 'invalid_argument' : 'unimplemented',
        hint: 'For a Dockerfile, use the syntax docker/dockerfile:1 or take the syntax line out.',
        details: [{ type: 'errdefs.Frontend', value: { name: 'gateway.v0', source } }],
      });
    },
  };
}
