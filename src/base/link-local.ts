import { isIP } from 'node:net';
import { CodedError } from './errors.ts';

/** The cloud's metadata service must not be read by a build. */
export function isLinkLocal(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, '').toLowerCase();
  return isIP(bare) !== 0 && /^(?:::ffff:(?:169\.254\.|a9fe:)|169\.254\.|fe[89ab][0-9a-f]:|fd00:ec2::254$)/.test(bare);
}

export function linkLocal(address: string): CodedError {
  return CodedError.of('HTTP_LINK_LOCAL', `${address} is a link-local address, which builds may not read`);
}
