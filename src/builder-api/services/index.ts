export * from './builder.ts';
export * from './common.ts';
export * from './control.ts';
export * from './gateway.ts';
export * from './integers.ts';
export * from './session-side.ts';
