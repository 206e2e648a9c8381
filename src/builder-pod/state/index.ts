export { withoutOwnPaths } from './own-paths.ts';
export { openState, type State, type StateOptions } from './state.ts';
