import type { ChownOpt, FileAction, FileOp, UserOpt } from '../op.ts';
import { big, bool, bytes, compact, list, num, str, strings, sub } from './fields.ts';
import { malformed } from './reader.ts';
import type { WireMessage } from './schema.ts';

export function fileFromWire(wire: WireMessage): FileOp {
  return {
    actions: list(wire, 'actions').map((action) => ({
      input: num(action, 'input'),
      secondaryInput: num(action, 'secondaryInput'),
      output: num(action, 'output'),
      body: actionFromWire(action),
    })),
  };
}

export function fileToWire(file: FileOp): WireMessage {
  return {
    actions: file.actions.map(({ input, secondaryInput, output, body }) => ({
      input,
      secondaryInput,
      output,
      ...actionToWire(body),
    })),
  };
}

function actionFromWire(wire: WireMessage): FileAction['body'] {
  const { copy, mkfile, mkdir, rm, symlink } = wire as Record<string, WireMessage | undefined>;
  if (copy)
    return {
      kind: 'copy',
      copy: compact({
        src: str(copy, 'src'),
        dest: str(copy, 'dest'),
        owner: ownerFromWire(copy),
        mode: num(copy, 'mode'),
        modeStr: str(copy, 'modeStr'),
        followSymlink: bool(copy, 'followSymlink'),
        dirCopyContents: bool(copy, 'dirCopyContents'),
        attemptUnpack: bool(copy, 'attemptUnpackDockerCompatibility'),
        createDestPath: bool(copy, 'createDestPath'),
        allowWildcard: bool(copy, 'allowWildcard'),
        allowEmptyWildcard: bool(copy, 'allowEmptyWildcard'),
        timestamp: big(copy, 'timestamp'),
        includePatterns: strings(copy, 'includePatterns'),
        excludePatterns: strings(copy, 'excludePatterns'),
        alwaysReplaceExistingDestPaths: bool(copy, 'alwaysReplaceExistingDestPaths'),
        requiredPaths: strings(copy, 'requiredPaths'),
      }),
    };
  if (mkfile)
    return {
      kind: 'mkfile',
      mkfile: compact({
        path: str(mkfile, 'path'),
        mode: num(mkfile, 'mode'),
        data: bytes(mkfile, 'data'),
        owner: ownerFromWire(mkfile),
        timestamp: big(mkfile, 'timestamp'),
      }),
    };
  if (mkdir)
    return {
      kind: 'mkdir',
      mkdir: compact({
        path: str(mkdir, 'path'),
        mode: num(mkdir, 'mode'),
        makeParents: bool(mkdir, 'makeParents'),
        owner: ownerFromWire(mkdir),
        timestamp: big(mkdir, 'timestamp'),
      }),
    };
  if (rm)
    return {
      kind: 'rm',
      rm: {
        path: str(rm, 'path'),
        allowNotFound: bool(rm, 'allowNotFound'),
        allowWildcard: bool(rm, 'allowWildcard'),
      },
    };
  if (symlink)
    return {
      kind: 'symlink',
      symlink: compact({
        oldPath: str(symlink, 'oldpath'),
        newPath: str(symlink, 'newpath'),
        owner: ownerFromWire(symlink),
        timestamp: big(symlink, 'timestamp'),
      }),
    };
  throw malformed('file action of a kind that is not known');
}

function actionToWire(body: FileAction['body']): WireMessage {
  switch (body.kind) {
    case 'copy': {
      const { attemptUnpack, owner, ...rest } = body.copy;
      return { copy: { ...rest, attemptUnpackDockerCompatibility: attemptUnpack, owner: ownerToWire(owner) } };
    }
    case 'mkfile':
      return { mkfile: { ...body.mkfile, owner: ownerToWire(body.mkfile.owner) } };
    case 'mkdir':
      return { mkdir: { ...body.mkdir, owner: ownerToWire(body.mkdir.owner) } };
    case 'rm':
      return { rm: { ...body.rm } };
    case 'symlink': {
      const { oldPath, newPath, owner, timestamp } = body.symlink;
      return { symlink: { oldpath: oldPath, newpath: newPath, owner: ownerToWire(owner), timestamp } };
    }
  }
}

function ownerFromWire(wire: WireMessage): ChownOpt | undefined {
  const owner = sub(wire, 'owner');
  return owner && compact({ user: userFromWire(sub(owner, 'user')), group: userFromWire(sub(owner, 'group')) });
}

function userFromWire(wire: WireMessage | undefined): UserOpt | undefined {
  if (!wire) return undefined;
  const byName = sub(wire, 'byName');
  if (byName) return { name: str(byName, 'name'), input: num(byName, 'input') };
  return wire['byId'] === undefined ? undefined : { id: num(wire, 'byId') };
}

function ownerToWire(owner: ChownOpt | undefined): WireMessage | undefined {
  return owner && { user: userToWire(owner.user), group: userToWire(owner.group) };
}

function userToWire(user: UserOpt | undefined): WireMessage | undefined {
  if (!user) return undefined;
  return 'id' in user ? { byId: user.id } : { byName: { name: user.name, input: user.input } };
}
