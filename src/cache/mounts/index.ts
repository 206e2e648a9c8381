/** Cache mounts as they are kept in registries: what they are called, and what is said of them there. */
export {
  encodeMount,
  MAX_MOUNT_CHUNKS,
  type MountIdentity,
  mountKey,
  mountName,
  mountTag,
  type SavedMount,
} from './artifact.ts';
export { readMount } from './repository.ts';
