/**
 * Bytes as text in a page: five characters for four bytes, a sixteenth less than base64 needs. The characters mean
 * nothing inside a `<script>`, which ends at "<" only.
 */
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-.:;=?@^_`{|}~";

export function encodeBase85(bytes: Uint8Array): string {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const text = new Uint8Array((padded.length / 4) * 5);
  for (let i = 0, at = 0; i < padded.length; i += 4, at += 5) {
    let word = view.getUint32(i);
    for (let digit = 4; digit >= 0; digit--) {
      text[at + digit] = ALPHABET.charCodeAt(word % 85);
      word = Math.floor(word / 85);
    }
  }
  return `${bytes.length}:${new TextDecoder().decode(text)}`;
}

export function decodeBase85(text: string): Uint8Array<ArrayBuffer> {
  const start = text.indexOf(":") + 1;
  const length = Number(text.slice(0, start - 1));
  const digits = new Uint8Array(128);
  for (let i = 0; i < 85; i++) digits[ALPHABET.charCodeAt(i)] = i;
  const bytes = new Uint8Array(Math.ceil(length / 4) * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0, at = start; i < bytes.length; i += 4, at += 5) {
    let word = 0;
    for (let digit = 0; digit < 5; digit++) word = word * 85 + digits[text.charCodeAt(at + digit)]!;
    view.setUint32(i, word);
  }
  return bytes.subarray(0, length);
}
