"""200 steps of LoRA on the tiny Gemma-2 in PyTorch, for test/training/curve.test.ts. Run by hand, in test/reference:

    python training/make_curve.py > gemma2-tiny/curve.json

Words come from a formula, so that the figures are all that has to be stored.
"""

import json
import os

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../gemma2-tiny")
SETTINGS = {
    "batch": 2,
    "seq": 24,
    "steps": 200,
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
}


def words(step, batch, seq, vocab):
    """Knuth's multiplicative hash of the position; four batches in turn."""
    first = (step % 4) * batch * seq
    ids = [3 + ((first + i + 1) * 2654435761 % 2**32) % (vocab - 3) for i in range(batch * seq)]
    return torch.tensor(ids).reshape(batch, seq)


def main():
    base = AutoModelForCausalLM.from_pretrained(
        os.path.join(HERE, "tiny-gemma2"), dtype=torch.float32, attn_implementation="eager"
    )
    model = PeftModel.from_pretrained(base, os.path.join(HERE, "adapter-initial"), is_trainable=True)
    model.train()
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=SETTINGS["learning_rate"], weight_decay=SETTINGS["weight_decay"])
    losses, norms = [], []
    for step in range(SETTINGS["steps"]):
        ids = words(step, SETTINGS["batch"], SETTINGS["seq"], base.config.vocab_size)
        optimizer.zero_grad()
        loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, use_cache=False).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(params, SETTINGS["max_grad_norm"]).item())
        optimizer.step()
        losses.append(loss.item())
    print(json.dumps({**SETTINGS, "torch": torch.__version__, "losses": losses, "gradient_norms": norms}))


if __name__ == "__main__":
    main()
