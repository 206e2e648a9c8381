import type { CodedError } from '../base/index.ts';
import type { Fault } from './conditions.ts';
import {
  type ControllerOptions,
  type EventRecorder,
  type Informer,
  type KeyText,
  KubeError,
  type KubeObject,
} from './runtime/index.ts';

type Kind = 'build' | 'buildrun' | 'builderpool';

/** What fails again and again, for as long as it does: an Event on its object, and whatever else the object's controller makes of it. */
export class Troubles {
  readonly #events: EventRecorder;
  readonly #faults = new Map<string, Fault>();

  constructor(events: EventRecorder) {
    this.#events = events;
  }

  of(kind: Kind, key: KeyText): Fault | undefined {
    return this.#faults.get(`${kind} ${key}`);
  }

  /** The object is gone. */
  forget(kind: Kind, key: KeyText): void {
    this.#faults.delete(`${kind} ${key}`);
  }

  /** Of the objects of one controller; `onChange` when one has another trouble, or none any more. */
  listener<T extends KubeObject>(
    kind: Kind,
    objects: Pick<Informer<T>, 'get'>,
    onChange: (object: T) => void = () => {},
  ): NonNullable<ControllerOptions['onTrouble']> {
    return (key, error) => {
      const object = objects.get(key);
      const before = this.of(kind, key);
      const fault = error === undefined || object === undefined || isAway(error) ? undefined : faultOf(error);
      if (fault === undefined) this.forget(kind, key);
      else this.#faults.set(`${kind} ${key}`, fault);
      if (object === undefined || before?.message === fault?.message) return;
      if (fault !== undefined) this.#events.record(object, 'Warning', fault.reason, fault.message);
      onChange(object);
    };
  }
}

const faultOf = ({ message }: CodedError): Fault => ({ reason: 'ReconcileFails', message });

/** An API server that is away or busy is nobody's own trouble, and could not be told of it. */
const isAway = (error: CodedError): boolean =>
  error.code === 'unavailable' && !(error instanceof KubeError && error.refusal === 'InternalError');
