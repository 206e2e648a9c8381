import type { ProgressModel } from './model.ts';
import { formatSeconds, printable, truncate } from './text.ts';

/** Where the time went: the slowest steps with their share, and how much came from the cache. */
export function renderSummary(model: ProgressModel, width: number): string[] {
  const { total, cached } = model.counts();
  const spent = [...model.steps.values()].filter((step) => step.spent > 0).sort((a, b) => b.spent - a.spent);
  const sum = spent.reduce((all, step) => all + step.spent, 0);
  const lines = [`${total} steps, ${cached} from the cache, ${formatSeconds(model.elapsed)} from first to last`];
  for (const step of spent.slice(0, 5)) {
    const share = `${Math.round((100 * step.spent) / sum)}%`.padStart(4);
    lines.push(truncate(`  ${formatSeconds(step.spent).padStart(7)} ${share}  ${printable(step.state.name)}`, width));
  }
  return lines;
}
