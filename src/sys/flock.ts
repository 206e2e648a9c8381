import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { CodedError } from '../base/index.ts';
import { hasErrno, libc, sysError } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes an exclusive lock on a file (made if missing) for as long as this process lives or until disposed; the kernel frees it on any death.
 * The file then holds our process id. @throws CodedError failed_precondition when another process has it.
 */
export function lockFile(path: string): Disposable {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    if (libc.flock(fd, LOCK_EX | LOCK_NB) < 0) {
      const error = sysError('flock', path);
      if (!hasErrno(error, 'EAGAIN', 'EWOULDBLOCK')) throw error;
      const holder = readFileSync(fd, 'utf8').trim();
      throw CodedError.of('SYS_LOCKED', `${path}: in use by process ${holder || 'unknown'}`, {
        cause: error,
        hint: 'stop that process, or choose another state directory',
      });
    }
    // In this order the file never gives its block away, which on a full disk another would take.
    ftruncateSync(fd, writeSync(fd, `${process.pid}\n`, 0));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let held = true;
  return {
    [Symbol.dispose]: () => {
      if (!held) return;
      held = false;
      closeSync(fd);
    },
  };
}
