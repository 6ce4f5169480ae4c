/** The README of the base model's folder. */
export function modelCard({ corpus, config, parameters, eval_loss, seed, command }) {
  return `---
language: ja
license: mit
library_name: transformers
pipeline_tag: text-generation
---

# kotoba-gemma2

A very small Gemma-2 that answers Japanese questions with statements. It is the starting point of the tutorial
\`notebooks/socratic-training.ipynb\`, which fine-tunes it to ask back. It is made for learning how fine-tuning works, and
knows nothing beyond the sentences that it was trained on.

| | |
|---|---|
| parameters | ${parameters.toLocaleString("en")} (BF16) |
| architecture | Gemma-2: ${config.num_hidden_layers} layers, hidden ${config.hidden_size}, ${config.num_attention_heads} heads over ${config.num_key_value_heads} key-value heads, feed-forward ${config.intermediate_size}, sliding window ${config.sliding_window} on every other layer, both soft-caps, tied head |
| tokenizer | BPE with byte fallback in Gemma's format, ${config.vocab_size} entries, trained on the same text |
| training text | ${corpus.length.toLocaleString("en")} generated dialogues about ${new Set(corpus.map(({ theme }) => theme)).size} themes, from hand-written facts (\`scripts/pretrain/facts\`) |
| held-out loss | ${eval_loss.toFixed(3)} nats a token |

Made again with \`${command}\` (seed ${seed}).
`;
}
