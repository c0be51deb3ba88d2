"""Hugging Face Trainer: a small GPT-2, built from a config, learns to read this file."""

import argparse
import tempfile
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--steps", type=int, default=30)
parser.add_argument("--length", type=int, default=32, help="characters of a sample")
args = parser.parse_args()

text = torch.tensor(list(Path(__file__).read_bytes()))
rows = [{"input_ids": row, "labels": row} for row in text.unfold(0, args.length, 4)]
config = GPT2Config(vocab_size=256, n_positions=args.length, n_embd=32, n_layer=2, n_head=2)

with tempfile.TemporaryDirectory() as folder:
    trainer = Trainer(
        GPT2LMHeadModel(config),
        TrainingArguments(
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
        train_dataset=rows,
    )
    trainer.train()
