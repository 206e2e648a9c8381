import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { issue, makeAuthority, type Pair, type Purpose, readPair } from './issue.ts';

/** How long the operator's authority, and what it signs, are good for; each is made anew at two thirds of it. */
const AUTHORITY_DAYS = 5 * 365;
const CERTIFICATE_DAYS = 90;
const RENEWED_AT = 2 / 3;
/** Before an authority signs, and after it has ceased to, it is trusted for so long: by then what holds certificates has read them again. */
export const OVERLAP_MS = 3600_000;

/** The authority as it is kept. When which step is due is told by the certificates' own times. */
export interface Authority {
  readonly current: Pair;
  /** Trusted already, and to sign next. */
  readonly next?: Pair;
  /** Signs no more, and is still trusted. */
  readonly previous?: string;
}

/** A certificate as it is kept, with whom its holder trusts. */
export interface Holding {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
  /** Of certificates that somebody else had made: who was trusted then, and since when (ms) they are taken over. */
  readonly adopted?: { readonly ca: string; readonly at: number } | undefined;
}

/** The same object where there is nothing to do. */
export function nextAuthority(found: Partial<Authority> | undefined, now: number): Authority {
  const current = found?.current && readPair(found.current)?.pair;
  if (found === undefined || current === undefined) return { current: fresh(now) };
  const { next, previous } = found;
  if (next !== undefined && readPair(next) !== undefined) {
    const due = Math.min(madeAt(next) + OVERLAP_MS, endOf(current) - OVERLAP_MS);
    return now < due ? (found as Authority) : { current: next, previous: current.cert };
  }
  if (previous !== undefined && now >= Math.min(madeAt(current) + 2 * OVERLAP_MS, endOf({ cert: previous })))
    return { current };
  return isWorn(current, now) ? { ...(found as Authority), next: fresh(now) } : (found as Authority);
}

/** Whom holders trust, PEM. */
function trustedOf({ current, next, previous }: Authority): string {
  return [current.cert, next?.cert, previous].filter((cert) => cert !== undefined).join('');
}

/** The same object where there is nothing to do. One that somebody else made goes on for a while, beside this authority, so that neither side meets a stranger. */
export function nextHolding(found: Holding | undefined, purpose: Purpose, authority: Authority, now: number): Holding {
  const trusted = trustedOf(authority);
  const pair = found === undefined ? undefined : readPair(found);
  const { adopted, ca } = found ?? {};
  if (found !== undefined && pair !== undefined && !isOurs(pair.x509, authority)) {
    const at = adopted?.at ?? now;
    if (now < at + OVERLAP_MS && now < pair.x509.validToDate.getTime()) {
      const foreign = adopted ?? { ca: ca ?? '', at };
      return same(found, { ...pair.pair, ca: joined(trusted, foreign.ca), adopted: foreign });
    }
  }
  const good =
    pair?.x509.verify(new X509Certificate(authority.current.cert).publicKey) === true &&
    isFor(pair.x509, purpose) &&
    !isWorn(pair.pair, now)
      ? pair.pair
      : undefined;
  const made = good ?? issue(authority.current, purpose, { now, days: CERTIFICATE_DAYS });
  const still = adopted !== undefined && now < adopted.at + 2 * OVERLAP_MS ? adopted : undefined;
  return same(found, {
    ...made,
    ca: still === undefined ? trusted : joined(trusted, still.ca),
    ...(still === undefined ? {} : { adopted: still }),
  });
}

/** When {@link nextAuthority} and {@link nextHolding} are to be asked again, ms from now. */
export const LOOK_MS = 5 * 60_000;

function fresh(now: number): Pair {
  // Each has a name of its own: of two of one name a chain may be tried with the wrong one.
  const word = createHash('sha256').update(`${now}`).digest('hex').slice(0, 8);
  return makeAuthority(`slipway ${word}`, { now, days: AUTHORITY_DAYS });
}

function isOurs(x509: X509Certificate, { current, next, previous }: Authority): boolean {
  return [current.cert, next?.cert, previous].some(
    (cert) => cert !== undefined && x509.verify(new X509Certificate(cert).publicKey),
  );
}

function isFor(x509: X509Certificate, { usage, commonName, names }: Purpose): boolean {
  const oid = usage === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2';
  const wanted = names.map((name) => (isIP(name) === 0 ? `DNS:${name}` : `IP Address:${addressText(name)}`)).sort();
  const has = (x509.subjectAltName ?? '').split(', ').filter((name) => name !== '');
  return (
    x509.subject === `CN=${commonName}` &&
    (x509.keyUsage ?? []).includes(oid) &&
    JSON.stringify(has.sort()) === JSON.stringify(wanted)
  );
}

/** As certificates are told: IPv6 in eight groups without leading zeros. */
function addressText(address: string): string {
  if (isIP(address) === 4) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after]
    .map((group) => Number.parseInt(group, 16).toString(16).toUpperCase())
    .join(':');
}

const madeAt = ({ cert }: Pick<Pair, 'cert'>): number => new X509Certificate(cert).validFromDate.getTime();
const endOf = ({ cert }: Pick<Pair, 'cert'>): number => new X509Certificate(cert).validToDate.getTime();

function isWorn(pair: Pair, now: number): boolean {
  const from = madeAt(pair);
  return now >= from + (endOf(pair) - from) * RENEWED_AT;
}

function joined(trusted: string, foreign: string): string {
  return foreign === '' ? trusted : `${trusted}${foreign.endsWith('\n') ? foreign : `${foreign}\n`}`;
}

function same(found: Holding | undefined, wanted: Holding): Holding {
  const text = ({ cert, key, ca, adopted }: Holding) => JSON.stringify([cert, key, ca, adopted?.ca, adopted?.at]);
  return found !== undefined && text(found) === text(wanted) ? found : wanted;
}
