import { CodedError } from '../../base/index.ts';
import { decodeName, encodeName } from '../../sys/index.ts';
import { type ByteString, textOf } from '../tar/index.ts';

/** Prefix of a whiteout entry, and the name that makes a directory opaque (OCI image spec, layer.md "Whiteouts"). */
export const WHITEOUT_PREFIX = '.wh.';
export const OPAQUE_MARKER = '.wh..wh..opq';
/** Names that aufs kept for itself; they mean nothing in a layer. */
export const AUFS_PREFIX = '.wh..wh.';

/** Bytes of a file name (NAME_MAX). */
const MAX_NAME = 255;

const OVERLAY_XATTR = /^(?:trusted|user)\.overlay\./;

/** Attributes that never leave or enter a layer: overlayfs's own (a foreign one could redirect a directory), and the host's labels. */
export function isPrivateXattr(name: string): boolean {
  return OVERLAY_XATTR.test(name) || name === 'security.selinux';
}

/** A file name for calls that take strings; bytes that are no UTF-8 survive (see sys). */
export function fsName(name: ByteString): string {
  return /[\x80-\xff]/.test(name) ? decodeName(Buffer.from(name, 'latin1')) : name;
}

/** {@link fsName} back. */
export function archiveName(name: string): ByteString {
  return /[^\0-\x7f]/.test(name) ? encodeName(name).toString('latin1') : name;
}

/**
 * Components of an archive path below its root: leading slashes and `.` mean nothing, `..` is resolved lexically.
 * @throws CodedError invalid_argument when it points above the root, or has a component that no file can be called
 */
export function pathComponents(path: ByteString): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part.length > MAX_NAME)
      throw CodedError.of(
        'LAYER_NAME_TOO_LONG',
        `archive entry ${JSON.stringify(textOf(path).slice(0, MAX_NAME))}…: a name has more than ${MAX_NAME} bytes`,
      );
    if (part === '..') {
      if (parts.pop() === undefined)
        throw CodedError.of(
          'LAYER_ESCAPE',
          `refusing archive entry ${JSON.stringify(textOf(path))}: it leaves the root`,
        );
    } else parts.push(fsName(part));
  }
  return parts;
}
