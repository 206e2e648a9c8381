import type { Platform } from '../../base/index.ts';
import { type GraphImage, parseDuration } from '../../resources/index.ts';
import { type Arguments, byName, expand, fault } from './fields.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The configuration of the image as JSON (OCI image-spec, config.md, with Docker's health check). Without a platform the exporter knows it. @throws CodedError that names the field */
export function imageConfig(image: GraphImage, platform: Platform | undefined, args: Arguments): string {
  const field = 'spec.llb.image';
  const text = (at: string, value: string | undefined) =>
    value === undefined ? undefined : expand(value, `${field}.${at}`, args);
  const texts = (at: string, values: readonly string[] | undefined) =>
    values?.map((value, index) => expand(value, `${field}.${at}[${index}]`, args));
  const entries = (at: string, map: Readonly<Record<string, string>> | undefined) =>
    Object.entries(map ?? {})
      .sort(byName)
      .map(([key, value]) => [key, expand(value, `${field}.${at}.${key}`, args)] as const);
  const set = (values: readonly string[] | undefined) =>
    values === undefined || values.length === 0
      ? undefined
      : Object.fromEntries([...values].sort().map((value) => [value, {}]));
  const ports = texts('ports', image.ports)?.map((port, at) => {
    const [number = '', protocol = 'tcp'] = port.split('/');
    if (!/^\d{1,5}$/.test(number) || Number(number) < 1 || Number(number) > 65_535)
      throw fault(`${field}.ports[${at}]`, `${JSON.stringify(port)} is no port from 1 to 65535`);
    return `${Number(number)}/${protocol}`;
  });
  const env = entries('env', image.env);
  if (!env.some(([name]) => name === 'PATH')) env.unshift(['PATH', PATH]);
  const labels = entries('labels', image.labels);
  const workdir = text('workdir', image.workdir) ?? '/';
  if (!workdir.startsWith('/')) throw fault(`${field}.workdir`, `${JSON.stringify(workdir)} is not absolute`);
  return JSON.stringify({
    ...platform,
    rootfs: { type: 'layers', diff_ids: null },
    config: {
      User: text('user', image.user),
      ExposedPorts: set(ports),
      Env: env.map(([name, value]) => `${name}=${value}`),
      Entrypoint: texts('entrypoint', image.entrypoint),
      Cmd: texts('cmd', image.cmd),
      Volumes: set(texts('volumes', image.volumes)),
      WorkingDir: workdir,
      Labels: labels.length === 0 ? undefined : Object.fromEntries(labels),
      StopSignal: text('stopSignal', image.stopSignal),
      Healthcheck: healthcheck(image.healthcheck, `${field}.healthcheck`),
    },
  });
}

function healthcheck(given: GraphImage['healthcheck'], field: string): object | undefined {
  if (given === undefined) return undefined;
  const nanoseconds = (at: 'interval' | 'timeout' | 'startPeriod' | 'startInterval') => {
    const text = given[at];
    if (text === undefined) return undefined;
    if (!/^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/.test(text))
      throw fault(`${field}.${at}`, `${JSON.stringify(text)} is no duration such as 30s`);
    return parseDuration(text) * 1_000_000;
  };
  return {
    Test: given.test,
    Interval: nanoseconds('interval'),
    Timeout: nanoseconds('timeout'),
    StartPeriod: nanoseconds('startPeriod'),
    StartInterval: nanoseconds('startInterval'),
    Retries: given.retries,
  };
}
