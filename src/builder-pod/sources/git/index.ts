export { gitSource } from './git-source.ts';
export { MirrorUpkeep } from './mirror-upkeep.ts';
