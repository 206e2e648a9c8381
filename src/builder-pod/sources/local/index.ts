export * from './attributes.ts';
export * from './local-source.ts';
export * from './source-factory.ts';
export * from './states.ts';
export * from './transfer-space.ts';
