import { formatPlatform, type Platform } from '../base/index.ts';

/** `->arm64` where the target differs from what a step runs on. */
export function crossSuffix(base: Platform, target: Platform | undefined): string {
  if (target === undefined) return '';
  if (target.os !== base.os) return `->${formatPlatform(target)}`;
  if (target.architecture === base.architecture) return '';
  return `->${target.architecture}${target.variant === undefined ? '' : `/${target.variant}`}`;
}
