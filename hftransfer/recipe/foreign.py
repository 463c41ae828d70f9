"""What other libraries call the keys of a recipe: a name people may try first -> our key, and what differs.

transformers' TrainingArguments and example scripts, PEFT's LoraConfig, Keras, Lightning, timm. A key is
listed only where the meaning is the same, or where the difference is said.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ours:
    """key: dotted, or None where a recipe has no such key. note: what differs, or what to do instead."""

    key: str | None
    note: str | None = None


_SAME: dict[str, tuple[str, ...]] = {
    "checkpoint": (
        "model",
        "model_name",
        "model_id",
        "model_name_or_path",
        "pretrained",
        "pretrained_model",
        "pretrained_model_name_or_path",
        "base_model",
        "backbone",
    ),
    "data": ("dataset", "dataset_name", "dataset_path", "datasets"),
    "data.config": ("dataset_config", "dataset_config_name", "subset"),
    "data.source": ("train_file", "train_data", "data_files"),
    "data.columns.text": ("text_column", "text_column_name", "text_field"),
    "data.columns.label": ("label_column", "label_column_name", "target_column"),
    "data.limits.train": ("max_train_samples", "num_train_samples"),
    "data.hold_out.validation": ("validation_split", "val_split", "eval_split", "validation_size"),
    "data.hold_out.group": ("groups", "group_column", "group_by"),
    "strategy": ("method", "peft", "tuner", "finetuning_type"),
    "strategy.rank": ("r", "lora_r", "lora_rank"),
    "strategy.alpha": ("lora_alpha",),
    "strategy.dropout": ("lora_dropout",),
    "strategy.targets": ("target_modules", "lora_target_modules"),
    "task.max_length": ("max_seq_length", "max_seq_len", "max_len", "seq_length", "sequence_length"),
    "task.stride": ("doc_stride",),
    "task.label_smoothing": ("label_smoothing_factor", "smoothing"),
    "training": ("trainer", "training_args", "training_arguments", "hyperparameters"),
    "training.epochs": ("num_train_epochs", "num_epochs", "n_epochs", "max_epochs", "nb_epochs"),
    "training.steps": ("max_steps", "num_steps", "n_steps", "total_steps"),
    "training.learning_rate": ("lr", "max_lr", "peak_lr", "base_lr"),
    "training.optimizer": ("optim", "opt", "optimiser"),
    "training.schedule": ("lr_scheduler", "lr_scheduler_type", "scheduler", "lr_schedule"),
    "training.clip_norm": ("max_grad_norm", "gradient_clip_val", "clip_grad", "clip_grad_norm", "grad_clip"),
    "training.evaluate_every": ("eval_steps", "val_check_interval"),
    "training.checkpoint_every": ("save_steps",),
    "training.best_metric": ("metric_for_best_model", "monitor"),
    "training.patience": ("early_stopping_patience", "early_stopping"),
    "training.group_by_length": ("train_sampling_strategy", "length_grouped"),
    "training.precision": ("mixed_precision", "dtype", "torch_dtype"),
    "training.workers": ("num_workers", "dataloader_num_workers"),
    "training.seed": ("random_seed", "random_state"),
    "metrics": ("metric", "compute_metrics", "eval_metrics"),
}

_DIFFERENT: dict[str, Ours] = {
    "per_device_train_batch_size": Ours(
        "training.batch_size", "it counts the examples of one optimizer step over all processes together"
    ),
    "per_device_eval_batch_size": Ours(
        "training.micro_batch_size", "examples per forward pass on one device; found by itself when left out"
    ),
    "gradient_accumulation_steps": Ours(
        "training.micro_batch_size", "accumulation follows from it: batch_size is the whole optimizer step"
    ),
    "warmup_steps": Ours("training.warmup", "from 1 a number of steps, below 1 a share of all steps"),
    "warmup_ratio": Ours("training.warmup", "below 1 a share of all steps, from 1 a number of steps"),
    "fp16": Ours("training.precision", "auto, fp32 or bf16"),
    "bf16": Ours("training.precision", "auto, fp32 or bf16"),
    "adam_epsilon": Ours("training.optimizer.epsilon"),
    "adam_beta1": Ours("training.optimizer.betas", "both of them, as a list"),
    "adam_beta2": Ours("training.optimizer.betas", "both of them, as a list"),
    "num_labels": Ours("data.labels", "their names; leave it out to take those in the training rows"),
    "num_classes": Ours("data.labels", "their names; leave it out to take those in the training rows"),
    "id2label": Ours("data.labels", "the names in order"),
    "label2id": Ours("data.labels", "the names in order"),
    "base": Ours(None, "`base` stands at the top of a recipe's file, and nowhere else"),
    "output_dir": Ours(None, "say where a run is kept on the command line: --output DIR"),
    "output": Ours(None, "say where a run is kept on the command line: --output DIR"),
    "resume_from_checkpoint": Ours(None, "resume on the command line: --resume"),
    "push_to_hub": Ours(None, "push a finished run: hftransfer push RUN REPO"),
    "trust_remote_code": Ours(None, "a recipe cannot ask for code of others to be run"),
    "device": Ours(None, "the device is found by the program; the same recipe runs on any"),
    "tokenizer": Ours(None, "the checkpoint's own tokenizer is used"),
    "tokenizer_name": Ours(None, "the checkpoint's own tokenizer is used"),
}

FOREIGN: dict[str, Ours] = {
    **{name: Ours(key) for key, names in _SAME.items() for name in names},
    **_DIFFERENT,
}


METRICS: dict[str, str] = {
    "acc": "accuracy",
    "auc": "auroc",
    "roc_auc": "auroc",
    "matthews_correlation": "mcc",
    "rouge": "rougeL",
    "sacrebleu": "bleu",
    "gen_len": "generated_length",
    **{f"{name}_macro": name for name in ("precision", "recall", "f1")},
    **{f"macro_{name}": name for name in ("precision", "recall", "f1")},
    **{
        f"{average}_{name}": f"{name}_{average}"
        for name in ("precision", "recall", "f1")
        for average in ("micro", "weighted", "binary")
    },
}
"""What scikit-learn and `evaluate` call our metrics. Ours without a suffix are macro averages."""


def ours(name: str) -> Ours | None:
    """What a recipe has for another library's key; None when the name is not a known one."""
    return FOREIGN.get(name.lower().replace("-", "_").replace(" ", "_"))
