export { type Lease, Leases } from './leases.ts';
