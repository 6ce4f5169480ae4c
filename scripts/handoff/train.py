"""Goes on with a training run that kaisetsu has begun, on as many processes as there are:

    torchrun --nproc_per_node 2 train.py        (or: accelerate launch train.py, or: python train.py)

Needs torch, transformers (5 or newer), peft and safetensors; bitsandbytes and a GPU for a base model in 4 bit.
This folder is the run's output_dir: the newest checkpoint-* is continued, new ones are written beside it.
"""

import json
import math
import os
from dataclasses import fields
from pathlib import Path

import torch
from peft import PeftModel, prepare_model_for_kbit_training
from safetensors import safe_open
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

# Figures beyond the loss, as Trainer takes them. Without them the best model is the one with the lowest loss.
compute_metrics = None

PROCESSES = int(os.environ.get("WORLD_SIZE", 1))


def main():
    os.chdir(Path(__file__).resolve().parent)
    config = json.loads(Path("training_config.json").read_text())
    args = arguments(config["training_args"])
    checkpoint = Path(get_last_checkpoint("."))
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    trainer = Trainer(
        model=load_model(config, args, checkpoint),
        args=args,
        train_dataset=rows("train.jsonl"),
        eval_dataset=rows("eval.jsonl"),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False, pad_to_multiple_of=8),
        compute_metrics=compute_metrics,
        processing_class=tokenizer,
    )
    with args.main_process_first(local=False):
        prepare_checkpoint(trainer, checkpoint)
    trainer.train(resume_from_checkpoint=str(checkpoint))
    trainer.save_model("final")


def arguments(settings):
    known = {field.name for field in fields(TrainingArguments) if field.init}
    own = {name: value for name, value in settings.items() if name in known and not name.endswith("_token")}
    batch, accumulation = own["per_device_train_batch_size"], own["gradient_accumulation_steps"]
    own["per_device_train_batch_size"], own["gradient_accumulation_steps"] = shared(batch, accumulation)
    own.update(output_dir=".", local_rank=-1, use_cpu=not torch.cuda.is_available())
    if own["use_cpu"]:
        own.update(fp16=False, bf16=False)
    if own["metric_for_best_model"] is not None and compute_metrics is None:
        own.update(metric_for_best_model="loss", greater_is_better=False)
    return TrainingArguments(**own)


def shared(batch, accumulation):
    """Batch size and accumulation of each process, so that an optimizer step takes the same rows as on one."""
    by_accumulation = math.gcd(accumulation, PROCESSES)
    by_batch = PROCESSES // by_accumulation
    if batch % by_batch:
        raise SystemExit(f"{batch} x {accumulation} rows of an optimizer step cannot be shared among {PROCESSES} processes.")
    return batch // by_batch, accumulation // by_accumulation


def load_model(config, args, checkpoint):
    quantization = (config["bnb_config"] or {}).get("load_in_4bit", False)
    options = {"dtype": torch.float32}
    if quantization:
        settings = {name: str(value).replace("torch.", "") if name.endswith("dtype") else value for name, value in config["bnb_config"].items()}
        options = {"quantization_config": BitsAndBytesConfig(**settings), "device_map": {"": args.local_process_index}}
    # Gemma 2 caps its attention scores, which only the eager implementation computes.
    model = AutoModelForCausalLM.from_pretrained(config["model_name"], attn_implementation="eager", **options)
    if quantization:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=args.gradient_checkpointing)
    if (checkpoint / "adapter_config.json").exists():
        model = PeftModel.from_pretrained(model, checkpoint, is_trainable=True)
    return model


class rows(torch.utils.data.Dataset):
    """Token rows of a file, one JSON object a line."""

    def __init__(self, path):
        self.rows = [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return dict(self.rows[index])


def prepare_checkpoint(trainer, checkpoint):
    """Writes the optimizer and the schedule of kaisetsu's checkpoint in torch's form, once."""
    if (checkpoint / "optimizer.pt").exists():
        return
    if compute_metrics is None:
        forget_best(trainer.args, checkpoint / "trainer_state.json")
    with safe_open("state/optimizer.safetensors", "pt") as file:
        step, layout = float(file.metadata()["step"]), json.loads(file.metadata()["layout"])
        first, second = file.get_tensor("exp_avg"), file.get_tensor("exp_avg_sq")
    moments = {}
    for slot in layout:
        part = slice(slot["offset"], slot["offset"] + math.prod(slot["shape"]))
        moments[slot["name"]] = [vector[part].reshape(slot["shape"]) for vector in (first, second)]
    names = {parameter: saved_name(name) for name, parameter in trainer.model.named_parameters()}
    schedule = json.loads(Path("state/scheduler.json").read_text())
    optimizer = trainer.create_optimizer()
    order = [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
    saved = optimizer.state_dict()
    saved["state"] = {
        index: {"step": torch.tensor(step), "exp_avg": moments[name][0].clone(), "exp_avg_sq": moments[name][1].clone()}
        for index, name in enumerate(order)
    }
    groups = saved["param_groups"]
    for group in groups:
        group["lr"] = schedule["_last_lr"][0]
        group["initial_lr"] = schedule.get("base_lrs", [trainer.args.learning_rate])[0]
    # Ours has one rate, torch one for each group of parameters.
    for name in ("base_lrs", "_last_lr"):
        if name in schedule:
            schedule[name] = schedule[name] * len(groups)
    if "base_lrs" in schedule:
        schedule["lr_lambdas"] = [None] * len(groups)
    torch.save(saved, checkpoint / "optimizer.pt")
    torch.save(schedule, checkpoint / "scheduler.pt")


def forget_best(args, path):
    """A best value of another figure than the loss cannot be compared with losses."""
    state = json.loads(path.read_text())
    logged = [entry.get("eval_loss") for entry in state["log_history"]]
    if args.metric_for_best_model == "loss" and state["best_metric"] not in logged:
        state.update(best_metric=None, best_global_step=None, best_model_checkpoint=None)
        path.write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")


def saved_name(name):
    """A parameter's name in the adapter's file."""
    name = name.replace(".modules_to_save.default", "").replace(".lora_magnitude_vector.default.weight", ".lora_magnitude_vector")
    return name.replace(".default.", ".")


if __name__ == "__main__":
    main()
