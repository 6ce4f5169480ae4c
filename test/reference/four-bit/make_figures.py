"""Weights in 4 bit as bitsandbytes' CPU library quantises and serialises them (0.50.2.dev0, built from source).

On CPUs bitsandbytes sums in an order of its own for nested_offset, takes a table of 65536 entries for the 8-bit codes,
and decodes row by row, so that rows must hold whole blocks; the matrices here are chosen so that all of it comes out as by
the rule. FP4 has no value that rounds to zero, whose sign differs between its CPU and its CUDA code.
"""
import json, os, sys, torch
from bitsandbytes import functional as F
from safetensors.torch import save_file
out = sys.argv[1]
torch.manual_seed(4)
def spread(shape):
    w = torch.randn(shape)
    w = torch.where(w.abs() < .05, w.sign() * .05, w)
    scales = torch.cat([b.abs().max().reshape(1) for b in w.flatten().split(64)])
    # torch's order of summation and numpy's must round alike.
    return w if float(scales.mean()) == float(scales.numpy().mean()) else spread(shape)
figures = {}
meta = []
for name, w in {"square": spread((8, 64)), "odd": spread((5, 13)), "long": spread((97, 192)), "bf16": spread((6, 64)).bfloat16()}.items():
    for kind in ("nf4", "fp4"):
        for double in (False, True):
            q, state = F.quantize_4bit(w, blocksize=64, compress_statistics=double, quant_type=kind)
            key = f"{name}.{kind}.{'double' if double else 'plain'}"
            figures[f"{key}/weight"] = q
            for part, value in state.as_dict(packed=True).items(): figures[f"{key}/weight.{part}"] = value
            figures[f"{key}/decoded"] = F.dequantize_4bit(q, state)
            meta.append(dict(key=key, name=name, type=kind, double=double, shape=list(w.shape), dtype=str(w.dtype).replace("torch.", "")))
    figures[f"{name}/values"] = w
save_file({k: v.contiguous().clone() for k, v in figures.items()}, os.path.join(out, "bitsandbytes.safetensors"))
json.dump(meta, open(os.path.join(out, "bitsandbytes.json"), "w"), indent=1)
