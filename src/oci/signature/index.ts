export { type SignedImage, signatureTag, signImage } from './image-signature.ts';
export { SigningKey } from './signing-key.ts';
export { demandedKeys, type TrustedRepositories } from './trusted-repositories.ts';
export { verifySignature } from './verify-signature.ts';
export { VerifyingKey } from './verifying-key.ts';
