/**
 * The only room that names a system call or starts a process or thread. Its calls are synchronous unless they return a promise: use them in
 * worker threads, or for a few calls.
 */

export { readGroups, readUsers } from './accounts.ts';
export { Cgroup, type CgroupLayout, cgroupLayout, isCgroupName } from './cgroup.ts';
export { CgroupBounds, type CgroupLimits, makeBoundedGroup } from './cgroup-bounds.ts';
export { CgroupMoves } from './cgroup-moves.ts';
export { copyEntry, type EntryMetadata, setMetadata, type XattrRule } from './copy-entry.ts';
export * from './dir.ts';
export { fileStream } from './file-stream.ts';
export * from './files.ts';
export * from './flock.ts';
export { startGuardian } from './guardian.ts';
export * from './isal.ts';
export * from './isal-inflate.ts';
export { hasErrno } from './libc.ts';
export * from './mount.ts';
export * from './mountinfo.ts';
export { decodeName, encodeName } from './names.ts';
export { ownResources } from './own-resources.ts';
export * from './privileges.ts';
export * from './process/run.ts';
export * from './process/spawn.ts';
export { openTerminal, type Terminal } from './process/terminal.ts';
export * from './root.ts';
export { makeScratch, type Scratch } from './scratch.ts';
export { Sha256 } from './sha256.ts';
export { peerProcess } from './socket-peer.ts';
export * from './stat.ts';
export { lifeCgroup, markEnvironment, sweep } from './sweep.ts';
export * from './syncfs.ts';
export { BestEffort } from './threads/best-effort.ts';
export { IdleMemory } from './threads/idle-memory.ts';
export { loadedModule } from './threads/loaded-module.ts';
export { createPools, type Pools, StreamPool, type TaskOptions, WorkerPool } from './threads/pool.ts';
export { sharedBytes } from './threads/shared-bytes.ts';
export { type Lane, type LaneEnd, type LanePort, SharedThreads } from './threads/shared-threads.ts';
export { type DocumentOptions, readDocument } from './threads/short-document.ts';
export * from './threads/sibling-module.ts';
export { type MessagePort, portToStream, writePort } from './threads/stream-port.ts';
export { type StreamContext, streamTasksOf, type Task, type TaskContext, tasksOf } from './threads/task.ts';
export { startThread, type Thread, type ThreadPort } from './threads/thread.ts';
export * from './xattr.ts';
