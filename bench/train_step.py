"""The step of train-step.js in PyTorch, with transformers and PEFT. Run by hand:

    python bench/train_step.py --config bench/configs/small.json --batch 4 --seq 128 --steps 20 --lora-rank 8 --json

Same options, same fields in its line of JSON. With --load DIR (written by train-step.js --save DIR) both start from the
same numbers, and their losses must agree.
"""

import argparse
import json
import os
import resource
import statistics
import time

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

TARGETS = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"


def main():
    options = read_options()
    if options.threads:
        torch.set_num_threads(options.threads)
    model = build(options)
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    model.train()
    run = torch.compile(model) if options.compile else model
    ids = words(options.batch, options.seq, model.config.vocab_size)
    mask = torch.ones_like(ids)
    losses, times = [], []
    for _ in range(options.steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = run(input_ids=ids, attention_mask=mask, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        losses.append(loss.item())
        times.append((time.perf_counter() - start) * 1e3)
    rest = times[1:] or times
    median = statistics.median(rest)
    result = {
        "engine": "torch compile" if options.compile else "torch eager",
        "description": f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
        + (", malloc tuned" if "MALLOC_TOP_PAD_" in os.environ else ""),
        "config": os.path.basename(options.config),
        "batch": options.batch,
        "seq": options.seq,
        "steps": options.steps,
        "lora_rank": options.lora_rank,
        "gradient_checkpointing": options.gradient_checkpointing,
        "ms_median": round(median, 1),
        "ms_best": round(min(rest), 1),
        "ms_first": round(times[0], 1),
        "tokens_per_second": round(options.batch * options.seq / median * 1e3, 1),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "loss_first": losses[0],
        "loss_last": losses[-1],
    }
    print(json.dumps(result) if options.json else result)


def build(options):
    config = AutoConfig.from_pretrained(options.config)
    # Gemma-2's soft-capped attention has no fused kernel on the CPU.
    config._attn_implementation = "eager"
    torch.manual_seed(options.seed)
    if options.load:
        model = AutoModelForCausalLM.from_pretrained(options.load, config=config, dtype=torch.float32)
    else:
        model = AutoModelForCausalLM.from_config(config).float()
    model.config.use_cache = False
    if options.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    if not options.lora_rank:
        return model
    if options.load:
        return PeftModel.from_pretrained(model, os.path.join(options.load, "adapter"), is_trainable=True)
    rank = options.lora_rank
    targets = options.target.split(",")
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=targets))


def words(batch, seq, vocab):
    ids = [1 + ((i + 1) * 2654435761 % 2**32) % (vocab - 1) for i in range(batch * seq)]
    return torch.tensor(ids).reshape(batch, seq)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--seq", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--lora-rank", type=int)
    parser.add_argument("--target", default=TARGETS)
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--load")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
