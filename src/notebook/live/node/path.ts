/** `node:path` in the page: POSIX, below a working folder of its own. */
import path from "path-browserify";

export const {
  basename,
  dirname,
  extname,
  format,
  isAbsolute,
  join,
  normalize,
  parse,
  relative,
  resolve,
  sep,
  delimiter,
} = path;
export const posix = path;
export default path;
