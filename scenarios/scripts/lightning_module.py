"""Lightning: a LightningModule fits a wave, validated after each epoch."""

import argparse

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--epochs", type=int, default=4)
args = parser.parse_args()


class Wave(lightning.LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.lr = lr
        layers = nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1)
        self.net = nn.Sequential(*layers)

    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.mse_loss(self.net(x), y)

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val_loss", nn.functional.mse_loss(self.net(x), y))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return [optimizer], [schedule]


def wave(count):
    x = torch.rand(count, 1) * 8 - 4
    return TensorDataset(x, (2 * x).sin() + 0.1 * torch.randn(count, 1))


trainer = lightning.Trainer(
    max_epochs=args.epochs,
    accelerator="auto",
    devices=1,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(
    Wave(args.lr),
    DataLoader(wave(256), batch_size=16, shuffle=True),
    DataLoader(wave(64), batch_size=64),
)
print("val_loss", trainer.callback_metrics["val_loss"].item())
