const loaded = new Map<string, Readonly<Record<string, unknown>>>();

/** What a module exports: Node's loader is asked once for each, since finding one again costs it as much as many a task does. */
export async function loadedModule(url: string): Promise<Readonly<Record<string, unknown>>> {
  const known = loaded.get(url);
  if (known !== undefined) return known;
  const module = (await import(url)) as Readonly<Record<string, unknown>>;
  loaded.set(url, module);
  return module;
}
