"""Checkpoints of guests as <prefix>_Checkpoint."""

from __future__ import annotations

from virtcim.providers.Virt_Checkpoint.Virt_Checkpoint import Checkpoint, CheckpointProvider, checkpoints_of

__all__ = ["Checkpoint", "CheckpointProvider", "checkpoints_of"]
