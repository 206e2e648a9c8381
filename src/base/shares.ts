import type { WorkOwner } from './fair-queue.ts';

interface Sum<Part> {
  amount: number;
  readonly parts: Map<Part, number>;
}

/**
 * What each holder has of something that all share, summed by whose it is. Who is to give way is found from above: of the tenant that has most in all, the build with
 * most, and of that the holder with most; so whoever holds much in many small parts comes before who holds less in one.
 */
export class Shares<Holder> {
  readonly #tenants = new Map<string, Sum<string>>();
  readonly #builds = new Map<string, Map<string, Sum<Holder>>>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** `amount` may be less than nothing. */
  add({ tenant, build }: WorkOwner, holder: Holder, amount: number): void {
    this.#total += amount;
    const ofTenant = getOrMake(this.#tenants, tenant, newSum<string>);
    const builds = getOrMake(this.#builds, tenant, () => new Map<string, Sum<Holder>>());
    const ofBuild = getOrMake(builds, build, newSum<Holder>);
    change(ofBuild, holder, amount);
    change(ofTenant, build, amount);
    if (ofBuild.parts.size === 0) builds.delete(build);
    if (ofTenant.parts.size > 0) return;
    this.#tenants.delete(tenant);
    this.#builds.delete(tenant);
  }

  ofTenant(tenant: string): number {
    return this.#tenants.get(tenant)?.amount ?? 0;
  }

  ofBuild({ tenant, build }: WorkOwner): number {
    return this.#builds.get(tenant)?.get(build)?.amount ?? 0;
  }

  /** Who is to give way; of equals the one that came last. Undefined where nobody has anything. */
  largest(): Holder | undefined {
    const tenant = most([...this.#tenants].map(([name, { amount }]) => [name, amount]));
    const build = tenant === undefined ? undefined : most(this.#tenants.get(tenant)!.parts);
    return build === undefined ? undefined : most(this.#builds.get(tenant!)!.get(build)!.parts);
  }
}

const newSum = <Part>(): Sum<Part> => ({ amount: 0, parts: new Map() });

function getOrMake<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function change<Part>(sum: Sum<Part>, part: Part, amount: number): void {
  sum.amount += amount;
  const now = (sum.parts.get(part) ?? 0) + amount;
  if (now > 0) sum.parts.set(part, now);
  else sum.parts.delete(part);
}

function most<Part>(parts: Iterable<readonly [Part, number]>): Part | undefined {
  let found: Part | undefined;
  let largest = 0;
  for (const [part, amount] of parts)
    if (amount >= largest) {
      found = part;
      largest = amount;
    }
  return found;
}
