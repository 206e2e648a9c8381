// Of a hundred thousand vertices each list counts. One that is added to in place has room for sixteen more; these have none to spare.

export const NONE: readonly never[] = [];

export function withOne<T>(few: readonly T[], one: T): readonly T[] {
  return few.concat([one]);
}

export function without<T>(few: readonly T[], one: T): readonly T[] {
  return few.includes(one) ? few.filter((each) => each !== one) : few;
}
