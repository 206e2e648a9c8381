/** With the user and password of a URL masked. */
export function withoutCredentials(text: string): string {
  return text.replace(
    /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@/i,
    (_, scheme: string, user: string) =>
      `${scheme}${user.startsWith(':') ? '' : 'xxxxx'}${user.includes(':') ? ':xxxxx' : ''}@`,
  );
}
