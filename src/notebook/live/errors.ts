/** The notebook, or a file that it needs, does not allow a page that runs. */
export class LivePageError extends Error {
  override name = "LivePageError";
}
