/** What the page can do beyond being read; see client.ts. Its hash is the only script that the page's policy lets run. */
export const script = "";
