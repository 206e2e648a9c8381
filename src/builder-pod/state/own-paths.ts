import { CodedError, sameAs, toCodedError } from '../../base/index.ts';

/** A private folder of one git process. */
const GIT_HOME = /\/[^\s'"]*\/slipway-git-[A-Za-z0-9]+/g;

/** The same failure without the builder's own paths in its words: they help nobody whose build it is, and say how the builder is laid out. Its log has them. */
export function withoutOwnPaths(error: unknown, root: string): CodedError {
  const coded = toCodedError(error);
  const hide = (text: string) => text.replaceAll(root, '<builder>').replace(GIT_HOME, '<builder>');
  const [message, hint] = [hide(coded.message), coded.hint === undefined ? undefined : hide(coded.hint)];
  if (message === coded.message && hint === coded.hint) return coded;
  return new CodedError(coded.code, message, { ...sameAs(coded), cause: error, hint });
}
