/** What a page cannot do: said in the error that the cell shows, so that a reader knows it is no fault of the code. */
export class NotInPageError extends Error {
  override name = "NotInPageError";
  constructor(what: string) {
    super(
      `${what} はブラウザーの中では使えません（${what} does not work in a page: there is no network, no process and no disk）`,
    );
  }
}

export function refuse(what: string): (...parameters: unknown[]) => never {
  return () => {
    throw new NotInPageError(what);
  };
}

const MESSAGES: Record<string, [errno: number, text: string]> = {
  ENOENT: [-2, "no such file or directory"],
  EEXIST: [-17, "file already exists"],
  ENOTDIR: [-20, "not a directory"],
  EISDIR: [-21, "illegal operation on a directory"],
  EINVAL: [-22, "invalid argument"],
  ENOTEMPTY: [-39, "directory not empty"],
};

/** An error with the `code`, `errno` and message of Node's. */
export function systemError(code: keyof typeof MESSAGES, syscall: string, path: string, to?: string): Error {
  const [errno, text] = MESSAGES[code]!;
  const error = new Error(`${code}: ${text}, ${syscall} '${path}'${to === undefined ? "" : ` -> '${to}'`}`);
  return Object.assign(error, { code, errno, syscall, path, ...(to === undefined ? {} : { dest: to }) });
}
