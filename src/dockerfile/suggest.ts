/** Names that one is compared with at most: more no person writes, and each of thousands is compared with all others. */
const MAX_COMPARED = 1000;
/** Two edits at most, so that a suggestion is never a guess. */
const MAX_DISTANCE = 2;

/** The option nearest to `value`, or undefined when none is near or one equals it (then the fault lies elsewhere). */
export function nearest(value: string, options: Iterable<string>, caseSensitive = true): string | undefined {
  const wanted = caseSensitive ? value : value.toLowerCase();
  let best: string | undefined;
  let bestDistance = MAX_DISTANCE + 1;
  let compared = 0;
  for (const option of options) {
    if (compared++ >= MAX_COMPARED) break;
    const candidate = caseSensitive ? option : option.toLowerCase();
    if (candidate === wanted) return undefined;
    const distance = editDistance(wanted, candidate, bestDistance);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = caseSensitive ? candidate : inCaseOf(value, candidate);
    }
  }
  return best;
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(value: string, options: Iterable<string>, caseSensitive = true): string {
  const found = nearest(value, options, caseSensitive);
  return found === undefined || found === '' ? '' : ` (did you mean ${found}?)`;
}

function inCaseOf(model: string, text: string): string {
  if (model === model.toLowerCase()) return text.toLowerCase();
  return model === model.toUpperCase() ? text.toUpperCase() : text;
}

/** Levenshtein distance; texts whose lengths alone differ by `limit` are not compared. */
function editDistance(a: string, b: string, limit: number): number {
  const from = [...a];
  const to = [...b];
  if (Math.abs(from.length - to.length) >= limit) return limit;
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replace = previous[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, replace));
    }
    previous = current;
  }
  return previous[to.length]!;
}
