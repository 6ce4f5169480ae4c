const adviceFor: Record<string, string> = {
  ENOSPC: "The disk is full: free some space, or set save_total_limit or save_only_model.",
  EDQUOT: "The disk quota is used up: free some space, or set save_total_limit or save_only_model.",
  EROFS: "The file system is read-only: choose another output_dir.",
  EACCES: "Writing is not permitted there: check the folder's permissions or choose another output_dir.",
  EPERM: "Writing is not permitted there: check the folder's permissions or choose another output_dir.",
  ENOENT: "The folder has vanished: was it deleted, or its disk unmounted?",
  ENOTDIR: "There is a file where a folder should be: choose another output_dir.",
  EMFILE: "Too many files are open in this process (see `ulimit -n`).",
  ENFILE: "Too many files are open on this machine.",
  EIO: "The disk reports an error of its own: copy what is there to another one.",
};

/** What to do about a file system's error; empty when there is nothing to say. */
export function advice(error: unknown): string {
  return adviceFor[(error as NodeJS.ErrnoException)?.code ?? ""] ?? "";
}
