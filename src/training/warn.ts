const said = new Set<string>();

/** A warning on stderr, said once a process however often it comes up. */
export function warnOnce(message: string): void {
  if (said.has(message)) return;
  said.add(message);
  console.warn(`kaisetsu: ${message}`);
}
