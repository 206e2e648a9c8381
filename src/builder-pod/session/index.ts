/** What a build asks of its clients: secrets, ssh agents, registry credentials, and places for results. */
export * from './client-content.ts';
export * from './credentials.ts';
export * from './file-sender.ts';
export * from './group.ts';
export * from './held-credentials.ts';
export * from './secrets.ts';
export * from './session-exports.ts';
export * from './source-secrets.ts';
export * from './ssh-agent.ts';
export * from './trusts.ts';
