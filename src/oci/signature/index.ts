export { attachEnvelopes, sealStatement } from './envelope.ts';
export { type SignedImage, signatureTag, signImage } from './image-signature.ts';
export { keySigner, type Signer } from './signer.ts';
export { SigningKey } from './signing-key.ts';
export { keylessSigner, loggedKeySigner } from './sigstore.ts';
export { demandedKeys, type TrustedRepositories } from './trusted-repositories.ts';
export { verifySignature } from './verify-signature.ts';
export { VerifyingKey } from './verifying-key.ts';
