export { openState, type State, type StateOptions } from './state.ts';
