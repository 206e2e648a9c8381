export { signImage } from './image-signature.ts';
export { SigningKey } from './signing-key.ts';
