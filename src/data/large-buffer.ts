/** Smaller buffers come and go with every step, and pages of their own cost system calls each time. */
const OWN_PAGES_BYTES = 1 << 20;

/** What Node has had since version 20, and TypeScript's es2023 library does not declare. */
const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer;

/**
 * A buffer for a weight, or for something as large on the way to one.
 *
 * V8 takes the memory of a resizable buffer straight from the operating system and gives it straight back. An ordinary one
 * comes from the C library, and the first such large piece that is freed has glibc move the limit up from which it asks the
 * system: from then on all matrices of that size, ONNX Runtime's too, lie in its heap, and each that goes leaves a hole
 * into which the next, larger by a header, does not fit.
 */
export function largeBuffer(bytes: number): ArrayBuffer {
  return bytes < OWN_PAGES_BYTES ? new ArrayBuffer(bytes) : new ResizableBuffer(bytes, { maxByteLength: bytes });
}

/** Gives the memory of a `largeBuffer` back now; nobody may look at it any more. The garbage collector would come later. */
export function freeLargeBuffer(buffer: ArrayBufferLike): void {
  const { resizable, resize } = buffer as ArrayBuffer & { resizable?: boolean; resize?: (bytes: number) => void };
  if (resizable) resize!.call(buffer, 0);
}
