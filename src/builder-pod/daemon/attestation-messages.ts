import { type AttestedSubject, invalidArgument } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import type { BridgeAttestation, BridgeRef } from '../frontends/index.ts';

const { AttestationKind, InTotoSubjectKind } = wire.moby.buildkit.v1.frontend;
type Attestations = Readonly<Record<string, wire.moby.buildkit.v1.frontend.Attestations.$Properties>>;
type Attestation = wire.moby.buildkit.v1.frontend.Attestation.$Properties;
type Subject = wire.moby.buildkit.v1.frontend.InTotoSubject.$Properties;

/** Of one result. */
const MOST_ATTESTATIONS = 1000;
const DIGEST = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([0-9a-f]{32,128})$/;

/** What a frontend's result says of itself, by platform. @throws CodedError invalid_argument */
export function attestationsOf(message: Attestations): ReadonlyMap<string, readonly BridgeAttestation[]> {
  const all = new Map(
    Object.entries(message).map(([platform, { attestation }]) => [platform, (attestation ?? []).map(attestationOf)]),
  );
  if (all.values().reduce((sum, { length }) => sum + length, 0) > MOST_ATTESTATIONS)
    throw invalidArgument(`a result has ${MOST_ATTESTATIONS} attestations at most`);
  return all;
}

function attestationOf({
  kind,
  metadata,
  ref,
  path,
  inTotoPredicateType,
  inTotoSubjects,
}: Attestation): BridgeAttestation {
  const id = ref?.id ?? '';
  if (kind != null && kind !== AttestationKind.InToto && kind !== AttestationKind.Bundle)
    throw invalidArgument(`unknown attestation kind ${kind}`);
  return {
    kind: kind === AttestationKind.Bundle ? 'bundle' : 'in-toto',
    metadata: new Map(Object.entries(metadata ?? {})),
    ref: id === '' ? undefined : { id },
    path: path ?? '',
    predicateType: inTotoPredicateType ?? '',
    subjects: (inTotoSubjects ?? []).map(subjectOf),
  };
}

function subjectOf({ kind, name, digest }: Subject): AttestedSubject {
  if (kind == null || kind === InTotoSubjectKind.Self) return { kind: 'self', name: name ?? '' };
  if (kind !== InTotoSubjectKind.Raw) throw invalidArgument(`unknown attestation subject kind ${kind}`);
  const digests = (digest ?? []).map((text) => {
    const [, algorithm, hex] = DIGEST.exec(text) ?? [];
    if (algorithm === undefined || hex === undefined)
      throw invalidArgument(`invalid digest ${JSON.stringify(text)} of an attestation's subject`);
    return [algorithm, hex] as const;
  });
  return { kind: 'raw', name: name || '_', digest: Object.fromEntries(digests) };
}

/** `refOf` says how a ref is told. */
export function attestationMessages(
  attestations: ReadonlyMap<string, readonly BridgeAttestation[]>,
  refOf: (ref: BridgeRef) => NonNullable<Attestation['ref']>,
): Attestations {
  const messages = [...attestations].map(([platform, all]) => {
    // Clients take a ref to be there.
    const attestation = all.map(
      ({ kind, metadata, ref, path, predicateType, subjects }): Attestation => ({
        kind: kind === 'bundle' ? AttestationKind.Bundle : AttestationKind.InToto,
        metadata: Object.fromEntries(metadata),
        ref: ref === undefined ? { id: '' } : refOf(ref),
        ...{ path, inTotoPredicateType: predicateType, inTotoSubjects: subjects.map(subjectMessage) },
      }),
    );
    return [platform, { attestation }] as const;
  });
  return Object.fromEntries(messages);
}

function subjectMessage(subject: AttestedSubject): Subject {
  if (subject.kind === 'self') return { kind: InTotoSubjectKind.Self, name: subject.name };
  const digest = Object.entries(subject.digest).map(([algorithm, hex]) => `${algorithm}:${hex}`);
  return { kind: InTotoSubjectKind.Raw, name: subject.name, digest };
}
