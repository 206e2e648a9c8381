import { kubeClientSuite } from './kube-client-suite.ts';
import { MemoryApi } from './memory-api.ts';

kubeClientSuite('in memory', () => new MemoryApi().client);
