import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { invalidArgument, proxySettings } from '../../base/index.ts';
import { pinoLogger } from '../../base/pino-logger.ts';
import { runOperator } from '../../operator/index.ts';
import { parseBuilderPools, parseKeptCertificates, parsePoolCache } from '../../resources/index.ts';
import type { OperatorCommand } from '../command-line.ts';
import type { CliIo } from '../io.ts';

const POD_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const DEFAULT_NAMESPACE = 'slipway-system';

/** `slipway operator`: runs until it is told to end. @throws CodedError */
export async function runOperatorCommand(command: OperatorCommand, io: CliIo): Promise<void> {
  const config = new KubeConfig();
  try {
    if (command.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(command.kubeconfig);
  } catch (cause) {
    throw invalidArgument(`the kubeconfig cannot be used: ${(cause as Error).message}`, { cause });
  }
  const leaseNamespace = command.leaseNamespace ?? podNamespace() ?? DEFAULT_NAMESPACE;
  const { builderPods } = command;
  await runOperator({
    config,
    proxies: proxySettings(io.env),
    log: pinoLogger({ level: command.logLevel, format: command.logFormat }),
    leaseNamespace,
    leaseDurationMs: command.leaseDurationMs,
    metricsAddress: command.metricsAddress,
    defaultRegistry: command.defaultRegistry,
    builderGraceMs: command.builderGraceMs,
    api: apiOf(command),
    logRetentionMs: command.logRetentionMs,
    keptPools: command.pools === undefined ? [] : readFlagFile('pools', command.pools, parseBuilderPools),
    registryCache:
      command.registryCache === undefined
        ? undefined
        : readFlagFile('registry-cache', command.registryCache, parsePoolCache),
    certificates:
      command.certificates === undefined
        ? []
        : readFlagFile('certificates', command.certificates, parseKeptCertificates),
    builderPods: builderPods && {
      namespace: builderPods.namespace,
      image: builderPods.image,
      serverSecret: builderPods.secret,
      clientSecret: { name: builderPods.clientSecret, namespace: leaseNamespace },
      serverName: builderPods.serverName,
    },
    kueue: command.kueue,
    workers: command.workers,
    signal: io.signal,
  });
}

function apiOf({ apiAddress: address, apiTls: folder }: OperatorCommand) {
  if (address === undefined) return undefined;
  if (folder === undefined) throw invalidArgument('slipway operator: --api-addr goes with --api-tls');
  const read = async (name: string) => await readFile(path.join(folder, name), 'utf8');
  const certificate = async () => {
    const [cert, key, ca] = await Promise.all([read('tls.crt'), read('tls.key'), read('ca.crt')]);
    return { cert, key, ca };
  };
  return { address, certificate };
}

/** @throws CodedError invalid_argument that names the file and what is wrong */
function readFlagFile<T>(flag: string, file: string, parse: (text: string, filename: string) => T): T {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw invalidArgument(`--${flag}: ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return parse(text, file);
}

function podNamespace(): string | undefined {
  try {
    return readFileSync(POD_NAMESPACE, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
