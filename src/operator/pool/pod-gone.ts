import { addressOf, type Pod } from './pod.ts';

/**
 * Why the builder that a run was given will not answer again: its pod has ended, is no more, or is another by now. Undefined while it may, and of one that is no pod.
 * `pods`: those of all pools, undefined where the operator has none.
 */
export function podGone(
  pods: readonly Pod[] | undefined,
  name: string | undefined,
  address: string,
): string | undefined {
  if (pods === undefined || name === undefined) return undefined;
  const pod = pods.find(({ metadata }) => metadata.name === name);
  if (pod === undefined) return `the pod ${name} is no more`;
  const { phase, reason, message } = pod.status ?? {};
  if (phase === 'Failed' || phase === 'Succeeded') {
    const said = [reason, message].filter((one) => one !== undefined && one !== '').join(': ');
    return `the pod ${name} has ended${said === '' ? '' : `: ${said}`}`;
  }
  return addressOf(pod) === address ? undefined : `the pod ${name} is another by now`;
}
