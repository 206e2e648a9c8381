export { type GitSourceOptions, gitSource } from './git-source.ts';
