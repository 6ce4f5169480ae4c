"""Writes the figures in models/ and peft/ with the Python stack that the library must agree with.

Usage: python make_figures.py OUT_DIR
Needs torch (CPU), transformers 5.18, peft 0.21, safetensors. The figures are committed, so nobody needs to run this;
it is kept so that each figure can be traced to the call that made it.
"""
import json, os, sys
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import (
    Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, Qwen3Config,
    Qwen3ForCausalLM, set_seed,
)

transformers.logging.set_verbosity_error()
SMALL = dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=128, pad_token_id=0, eos_token_id=1, bos_token_id=2, attn_implementation="eager")

MODELS = {
    "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(
        **SMALL, num_hidden_layers=3, head_dim=12, query_pre_attn_scalar=20, sliding_window=5,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 1000.0},
                         "full_attention": {"rope_type": "linear", "rope_theta": 50000.0, "factor": 4.0}})),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(
        **SMALL, num_hidden_layers=2, attention_bias=True, mlp_bias=True, tie_word_embeddings=False, rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 16})),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(
        **SMALL, num_hidden_layers=2, head_dim=12, tie_word_embeddings=True, rope_theta=1000.0)),
    "gemma2-bias": lambda: Gemma2ForCausalLM(Gemma2Config(
        **SMALL, num_hidden_layers=2, head_dim=8, query_pre_attn_scalar=16, sliding_window=6, attention_bias=True)),
}

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# name -> base model and LoRA settings
ADAPTERS = {
    "rslora-patterns": ("gemma2-bias", dict(r=4, lora_alpha=12, target_modules="all-linear", use_rslora=True,
                        rank_pattern={"layers.1.self_attn.q_proj": 2, "down_proj": 6}, alpha_pattern={"up_proj": 5})),
    "dora": ("gemma2-bias", dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"], use_dora=True)),
    "saved-modules": ("gemma2-bias", dict(r=3, lora_alpha=6, target_modules=r".*\.1\..*(q|v)_proj", modules_to_save=["norm", "k_proj"])),
    "bias-all": ("gemma2-bias", dict(r=3, lora_alpha=6, target_modules=["q_proj", "up_proj"], bias="all")),
    "bias-lora-only": ("gemma2-bias", dict(r=3, lora_alpha=6, target_modules=["q_proj", "up_proj"], bias="lora_only")),
    "untied-head": ("llama", dict(r=3, lora_alpha=6, target_modules=["v_proj"], modules_to_save=["lm_head", "embed_tokens"])),
    "gaussian": ("qwen3", dict(r=5, lora_alpha=10, target_modules=["q_proj"], init_lora_weights="gaussian")),
    "llama-lora": ("llama", dict(r=4, lora_alpha=4, target_modules=ALL)),
}


def batch():
    g = torch.Generator().manual_seed(5)
    ids = torch.randint(3, 96, (2, 14), generator=g)
    mask = torch.ones_like(ids)
    ids[1, 9:], mask[1, 9:] = 0, 0
    labels = torch.where(mask == 1, ids, -100)
    labels[0, :4] = -100
    return dict(input_ids=ids, attention_mask=mask, labels=labels)


def packed():
    """Two texts in the first row, three in the second; no attention_mask, so that positions alone keep them apart."""
    ids = batch()["input_ids"].clone()
    ids[ids == 0] = 7
    positions = torch.tensor([[*range(8), *range(6)], [*range(3), *range(4), *range(7)]])
    return dict(input_ids=ids, position_ids=positions, labels=torch.where(positions == 0, -100, ids))


def forward(model, path, b):
    model.zero_grad(set_to_none=True)
    # a cache would switch off transformers' recognition of packed rows; Trainer trains without one
    o = model(**b, use_cache=False)
    o.loss.backward()
    t = {k: v.int() for k, v in b.items()} | {"logits": o.logits.detach(), "loss": o.loss.detach().reshape(1)}
    t |= {"grad." + n: p.grad.detach() for n, p in model.named_parameters() if p.grad is not None}
    save_file({k: v.contiguous().clone() for k, v in t.items()}, path)


def write(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")


def make_model(out, name, seed):
    set_seed(seed)
    m = MODELS[name]().float().eval()
    with torch.no_grad():
        for n, p in m.named_parameters():
            p.copy_(torch.randn_like(p) * 0.2 + (1.0 if "norm" in n and "gemma" not in name else 0.0))
    d = os.path.join(out, "models", name)
    m.save_pretrained(d)
    forward(m, os.path.join(d, "forward.safetensors"), batch())
    forward(m, os.path.join(d, "packed.safetensors"), packed())
    ids = batch()["input_ids"][:1, :9]
    g = m.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, eos_token_id=None)
    write(os.path.join(d, "generate.json"), dict(prompt=ids[0].tolist(), output=g[0].tolist()))


def make_adapter(out, name, base, settings, seed):
    source = os.path.join(out, "models", base)
    cls = type(MODELS[base]())
    d = os.path.join(out, "peft", name)
    load = lambda: cls.from_pretrained(source, attn_implementation="eager").float()
    set_seed(seed)
    pm = get_peft_model(load(), LoraConfig(task_type="CAUSAL_LM", **settings))
    pm.save_pretrained(os.path.join(d, "initial"), save_embedding_layers=False)
    with torch.no_grad():
        for n, p in pm.named_parameters():
            if p.requires_grad:
                p.copy_(p + torch.randn_like(p) * 0.1)
    pm.save_pretrained(os.path.join(d, "adapter"), save_embedding_layers=False)
    pm.eval()
    forward(pm, os.path.join(d, "forward.safetensors"), batch())
    names = [n for n, p in pm.named_parameters() if p.requires_grad]
    trainable, total = pm.get_nb_trainable_parameters()
    merged = pm.merge_and_unload()
    b = batch()
    with torch.no_grad():
        save_file({"logits": merged(input_ids=b["input_ids"], attention_mask=b["attention_mask"]).logits.contiguous()},
                  os.path.join(d, "merged-logits.safetensors"))
    write(os.path.join(d, "about.json"), dict(base=base, seed=seed, settings=settings, trainable=trainable, total=total,
                                              trainable_names=names))
    for sub in ("initial", "adapter"):
        for file in os.listdir(os.path.join(d, sub)):
            if not file.startswith("adapter_"):
                os.remove(os.path.join(d, sub, file))
        path = os.path.join(d, sub, "adapter_config.json")
        config = json.load(open(path))
        config["base_model_name_or_path"] = base
        if isinstance(config["target_modules"], list):
            config["target_modules"].sort()  # a set in PEFT: its order changes from run to run
        write(path, config)


def main():
    out = sys.argv[1]
    for i, name in enumerate(MODELS):
        make_model(out, name, 20 + i)
    for i, (name, (base, settings)) in enumerate(ADAPTERS.items()):
        make_adapter(out, name, base, settings, 40 + i)


main()
