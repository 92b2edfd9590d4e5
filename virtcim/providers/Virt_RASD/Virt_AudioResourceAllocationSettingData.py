"""Sound cards of a guest, and the audio backends that they play through."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Audio, Sound
from virtcim.providers.Virt_RASD.other_table import field_of, other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["AudioSetting"]


class AudioSetting(ResourceSetting[Sound | Audio]):
    """A sound card of a guest, or an audio backend of its host (Virt_AudioResourceAllocationSettingData)."""

    __slots__ = ()

    base = "AudioResourceAllocationSettingData"


AudioSetting.table = device_table(
    (Sound, Audio),
    other_table(Sound, Audio),
    field_of("AudioID", (Sound, Sound.audio_id), (Audio, Audio.id), zero=False),
)
