import { posix } from 'node:path';
import { invalidArgument } from '../base/index.ts';
import { cleanPath, joinPath } from './paths.ts';

/**
 * A path as the target system writes it, in the form that a graph has it: with slashes and without the letter of the system's drive. On other systems than Windows
 * nothing changes. @throws CodedError for what lies outside that drive
 */
export function systemPath(path: string, os: string): string {
  if (os !== 'windows') return path;
  const slashes = path.replaceAll('\\', '/');
  if (slashes.length === 2 && slashes[1] === ':')
    throw invalidArgument(`removing drive letter: No relative path specified in ${JSON.stringify(path)}`);
  if (slashes.startsWith('//')) throw invalidArgument('removing drive letter: UNC paths are not supported');
  const colon = slashes.indexOf(':');
  if (colon >= 0 && slashes.slice(0, colon).toLowerCase() !== 'c')
    throw invalidArgument('removing drive letter: The specified path is not on the system drive (C:)');
  const inside = slashes.slice(colon + 1);
  const clean = cleanPath(inside);
  return inside.endsWith('/') && clean.length > 1 ? `${clean}/` : clean;
}

export function isSystemAbsolute(path: string, os: string): boolean {
  try {
    return posix.isAbsolute(systemPath(path, os));
  } catch {
    return false;
  }
}

/** Where `path` leads from a working directory, with slashes. @throws CodedError for what lies outside the system's drive */
export function workingDirectory(current: string, path: string, os: string): string {
  const from = joinPath('/', systemPath(current, os));
  const given = path === '' ? from : systemPath(path, os);
  const absolute = given.startsWith('/') ? given : joinPath(from, given);
  return os === 'windows' ? cleanPath(absolute) : absolute;
}

/** A path of a graph as the target system's configuration has it. */
export function toSystemPath(path: string, os: string): string {
  return os === 'windows' ? path.replaceAll('/', '\\') : path;
}
