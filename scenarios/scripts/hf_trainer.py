"""Hugging Face Trainer: a small GPT-2 from a config learns this file."""

import argparse
import tempfile
from pathlib import Path

import torch
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--steps", type=int, default=30)
parser.add_argument("--length", type=int, default=32)
args = parser.parse_args()

text = torch.tensor(list(Path(__file__).read_bytes()))
rows = text.unfold(0, args.length, 4)
data = [{"input_ids": row, "labels": row} for row in rows]
config = transformers.GPT2Config(
    vocab_size=256, n_positions=args.length, n_embd=32, n_layer=2, n_head=2
)
model = transformers.GPT2LMHeadModel(config)

with tempfile.TemporaryDirectory() as folder:
    trainer = transformers.Trainer(
        model,
        transformers.TrainingArguments(
            output_dir=folder,
            max_steps=args.steps,
            learning_rate=args.lr,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=2,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=data,
    )
    trainer.train()
