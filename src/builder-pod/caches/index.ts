export { type RegistryCacheDeps, registryCacheExporter, registryCacheImporter } from './registry.ts';
