import { CodedError, type WorkOwner } from '../../base/index.ts';
import type { Definition } from '../../llb/index.ts';
import type { BridgeCall, BridgeResult, FrontendBridge } from './bridge.ts';

/** Turns options and inputs into a result, through the bridge of the solve that it serves. */
export interface Frontend {
  /** As clients name it: `dockerfile.v0`. */
  readonly name: string;
  run(request: FrontendRequest, bridge: FrontendBridge, call: BridgeCall): Promise<BridgeResult>;
}

export interface FrontendRequest {
  /** For whom it runs: tenants take turns. */
  readonly owner?: WorkOwner;
  readonly options: ReadonlyMap<string, string>;
  readonly inputs: ReadonlyMap<string, Definition>;
}

/** The frontends of a builder, by name. */
export class FrontendRegistry {
  readonly #frontends: ReadonlyMap<string, Frontend>;

  constructor(frontends: readonly Frontend[]) {
    this.#frontends = new Map(frontends.map((frontend) => [frontend.name, frontend]));
  }

  names(): string[] {
    return [...this.#frontends.keys()];
  }

  /** @throws CodedError not_found */
  get(name: string): Frontend {
    const frontend = this.#frontends.get(name);
    if (frontend !== undefined) return frontend;
    throw CodedError.of('FRONTEND_NOT_FOUND', `invalid frontend: ${name}`, {
      hint: `This builder has ${this.names().join(' and ')}.`,
    });
  }

  /** Runs a frontend; its failures say which it was. */
  async run(name: string, request: FrontendRequest, bridge: FrontendBridge, call: BridgeCall): Promise<BridgeResult> {
    return await this.get(name).run(request, bridge, call);
  }
}
