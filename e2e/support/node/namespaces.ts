import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { cache, root } from '../paths.ts';
import { must, run } from '../run.ts';
import { type Service, startService } from '../service.ts';
import { type Addresses, addressesOf, BLOCKS } from './addresses.ts';

/** Network, mount, process, IPC and name namespaces of a node, with a link to the machine and no other way out. */
export interface Namespaces extends AsyncDisposable {
  readonly addresses: Addresses;
  /** Starts a program in them; its log is `NAME.log` of the folder. */
  start(name: string, command: string, args: readonly string[]): Service;
}

/**
 * Opens them, with their state below `folder`. They end with this process, however it ends, and everything in them: processes, mounts and the link. Disposing ends
 * them at once and waits for it.
 */
export async function openNamespaces(folder: string): Promise<Namespaces> {
  await using opened = new AsyncDisposableStack();
  const holder = startService(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', path.join(root, 'bin/slipway-launch')],
      ...['unshare', '--mount', '--uts', '--ipc', '--net', '--pid', '--fork', '--mount-proc', '--kill-child=KILL'],
      ...[
        '--propagation',
        'private',
        'sh',
        path.join(import.meta.dirname, 'init.sh'),
        folder,
        path.join(cache, 'tools'),
      ],
    ],
    { logFile: path.join(folder, 'namespaces.log') },
  );
  opened.defer(async () => {
    // The first process of a pid namespace is gone only after all others are.
    const [first] = childrenOf(holder.process.pid as number);
    if (first !== undefined) process.kill(first, 'SIGKILL');
    await holder.stop('SIGCONT');
  });
  await holder.ready(() => Promise.resolve(existsSync(path.join(folder, 'namespaces'))));
  const [first] = childrenOf(holder.process.pid as number);
  if (first === undefined) throw new Error(`the namespaces ended:\n${holder.log()}`);
  const addresses = await link(first);
  opened.defer(async () => void (await run('ip', ['link', 'delete', addresses.name])));
  const { machine, node, linkBits, services } = addresses;
  await must('ip', ['address', 'add', `${machine}/${linkBits}`, 'dev', addresses.name]);
  await must('ip', ['link', 'set', addresses.name, 'up']);
  const within = ['--target', String(first), '--mount', '--uts', '--ipc', '--net', '--pid', '--'];
  for (const line of [
    'link set lo up',
    `address add ${node}/${linkBits} dev eth0`,
    'link set eth0 up',
    // A connection that starts on the node itself is sent on to a service's pod only after a route was found: any will do.
    'link add services type bridge',
    'link set services up',
    `route add ${services} dev services src ${node}`,
    'route add unreachable default',
  ])
    await must('nsenter', [...within, 'ip', ...line.split(' ')]);
  for (const range of [addresses.pods, services]) await must('ip', ['route', 'add', range, 'via', node]);
  const owned = opened.move();
  return {
    addresses,
    start: (name, command, args) =>
      startService('nsenter', [...within, command, ...args], { logFile: path.join(folder, `${name}.log`) }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Claims the first block of addresses that no other cluster has, by the name of its link. */
async function link(target: number): Promise<Addresses> {
  for (let block = 0; block < BLOCKS; block++) {
    const addresses = addressesOf(block);
    const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(target)];
    const ran = await run('ip', ['link', 'add', addresses.name, ...peer]);
    if (ran.code === 0) return addresses;
    if (!/exists/.test(ran.output)) throw new Error(`no link to the node: ${ran.output}`);
  }
  throw new Error(`${BLOCKS} test clusters run on this machine already`);
}

function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children
      .split(' ')
      .filter((one) => one.trim() !== '')
      .map(Number);
  } catch {
    return [];
  }
}
