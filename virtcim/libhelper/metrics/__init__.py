"""Figures of guests and of their host: sampled on demand, kept for a while, and written for monitoring."""

from virtcim.libhelper.metrics.addresses import read_leases
from virtcim.libhelper.metrics.exposition import Sources, figures_text
from virtcim.libhelper.metrics.sample import Frame, GuestSample, HostSample, Sample
from virtcim.libhelper.metrics.sampler import Sampler
from virtcim.libhelper.metrics.screen import take_picture

__all__ = [
    "Frame",
    "GuestSample",
    "HostSample",
    "Sample",
    "Sampler",
    "Sources",
    "figures_text",
    "read_leases",
    "take_picture",
]
