export * from './attributes.ts';
export * from './local-source.ts';
