import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { OutboundAgents } from './outbound-agents.ts';

let proxy: Server | undefined;
afterEach(() => {
  proxy?.closeAllConnections();
  proxy?.close();
});

/** A proxy that answers itself, with what it was asked. */
async function startProxy(): Promise<string> {
  proxy = createServer((req, res) => {
    res.end(`${req.method} ${req.url} as ${req.headers['proxy-authorization']}`);
  });
  await new Promise<void>((resolve) => proxy?.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(proxy?.address() as AddressInfo).port}`;
}

async function ask(url: string, agents: OutboundAgents): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: agents.for(new URL(url)) }, resolve).on('error', reject);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('plain HTTP asks the proxy for the whole URL, with its own credentials', async () => {
  const host = await startProxy();
  using agents = new OutboundAgents({ http: `http://ada:love%2Flace@${host}`, noProxy: 'direct.test' });
  const basic = Buffer.from('ada:love/lace').toString('base64');
  expect(await ask('http://registry.test/v2/?n=1', agents)).toBe(`GET http://registry.test/v2/?n=1 as Basic ${basic}`);
  await expect(ask('http://direct.test/', agents)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
});

test('one agent for each way and trust', () => {
  using agents = new OutboundAgents({ https: 'http://proxy:1', noProxy: 'direct.test' });
  const of = (url: string, ca?: string) => agents.for(new URL(url), ca === undefined ? {} : { ca: [ca] });
  expect(of('https://a.test')).toBe(of('https://b.test:8443'));
  expect(of('https://a.test')).not.toBe(of('https://direct.test'));
  expect(of('https://a.test')).not.toBe(of('https://a.test', 'certificate'));
  expect(of('http://a.test')).toBe(of('http://direct.test', 'certificate'));
});
