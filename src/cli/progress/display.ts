import { type ProgressEvent, ProgressModel } from './model.ts';
import { PlainProgress } from './plain.ts';
import { renderTree } from './tree.ts';

type ProgressMode = 'auto' | 'plain' | 'tty' | 'rawjson' | 'quiet';

/** The part of a terminal that a display needs. */
export interface Terminal {
  write(text: string): void;
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows: number;
}

export interface ProgressDisplay extends Disposable {
  readonly model: ProgressModel;
  /** Whether it shows why steps missed the cache. */
  readonly explains: boolean;
  event(event: ProgressEvent): void;
}

/** Opens the display for a mode; `auto` is the tree on a terminal and plain lines elsewhere. Disposing paints the last state. */
export function openDisplay(mode: ProgressMode, terminal: Terminal, now: () => number): ProgressDisplay {
  const model = new ProgressModel();
  const chosen = mode === 'auto' ? (terminal.isTTY ? 'tty' : 'plain') : mode;
  switch (chosen) {
    case 'plain': {
      const plain = new PlainProgress(model, (text) => terminal.write(text));
      return { model, explains: true, event: (event) => plain.event(event), [Symbol.dispose]: () => plain.end() };
    }
    case 'rawjson':
      return {
        model,
        explains: true,
        event: (event) => {
          model.apply(event);
          terminal.write(
            `${JSON.stringify(event, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value))}\n`,
          );
        },
        [Symbol.dispose]: () => {},
      };
    case 'quiet':
      return { model, explains: false, event: (event) => void model.apply(event), [Symbol.dispose]: () => {} };
    case 'tty':
      return openTree(model, terminal, now);
  }
}

function openTree(model: ProgressModel, terminal: Terminal, now: () => number): ProgressDisplay {
  let painted = 0;
  const paint = () => {
    const lines = renderTree(model, {
      width: terminal.columns,
      height: Math.max(4, terminal.rows - 1),
      now: now(),
      color: true,
    });
    // Up over what was painted, then each line anew with its rest erased.
    const up = painted > 0 ? `\u001b[${painted}A\r` : '';
    terminal.write(`${up}${lines.map((text) => `${text}\u001b[K\n`).join('')}\u001b[J`);
    painted = lines.length;
  };
  const timer = setInterval(paint, 100);
  return {
    model,
    explains: true,
    event: (event) => void model.apply(event),
    [Symbol.dispose]: () => {
      clearInterval(timer);
      paint();
    },
  };
}
