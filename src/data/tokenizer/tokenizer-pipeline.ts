import { type TokenizerFiles, type TokenizerJson, tokenContent } from "./tokenizer-files.js";

/**
 * `tokenizer.json` as transformers 5 would run it: when the config says `add_bos_token` or `add_eos_token`, or the file has
 * no post-processor, these flags alone decide what stands around a text.
 */
export function pipelineJson({ tokenizer, config }: TokenizerFiles): TokenizerJson {
  const flagged = "add_bos_token" in config || "add_eos_token" in config;
  if (!flagged && tokenizer.post_processor) return tokenizer;
  const bos = config.add_bos_token === true ? tokenContent(config.bos_token) : undefined;
  const eos = config.add_eos_token === true ? tokenContent(config.eos_token) : undefined;
  const special = (token: string | undefined, type_id: number) =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id } }];
  const sequence = (id: string, type_id: number) => [
    ...special(bos, type_id),
    { Sequence: { id, type_id } },
    ...special(eos, type_id),
  ];
  const post_processor = {
    type: "TemplateProcessing",
    single: sequence("A", 0),
    pair: [...sequence("A", 0), ...sequence("B", 1)],
    special_tokens: {},
  };
  return { ...tokenizer, post_processor };
}

/**
 * A run of byte tokens that is no valid UTF-8 (a character cut in half) decodes in the Rust library to one U+FFFD for each
 * byte; TextDecoder would merge some of them, and the text would be shorter than Python's.
 */
export function decodeBytesLikePython(pipeline: { decoder: unknown }): void {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array) => {
    try {
      return strict.decode(bytes);
    } catch {
      return "\uFFFD".repeat(bytes.length);
    }
  };
  const visit = (decoder: { text_decoder?: unknown; byte_decoder?: unknown; decoders?: unknown[] } | null) => {
    if (!decoder) return;
    // The byte-level decoder (GPT-2's) also has a text_decoder, but there Rust is lossy in the usual way.
    if (decoder.text_decoder && !decoder.byte_decoder) decoder.text_decoder = { decode };
    for (const inner of decoder.decoders ?? []) visit(inner as typeof decoder);
  };
  visit(pipeline.decoder as Parameters<typeof visit>[0]);
}
