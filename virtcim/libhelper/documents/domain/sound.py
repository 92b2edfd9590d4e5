"""`<sound>` and `<audio>`: sound cards and what they play through."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import Int, Mapped, Replacement, Text, Texts, YesNo

__all__ = ["Audio", "AudioInput", "AudioOutput", "Sound"]


class Sound(VirtioOptions, Device):
    """A `<sound>`."""

    tag = "sound"
    replacements = (Replacement(fields=("model",), takes=("@multichannel", "@streams", "codec", "driver", "address")),)
    never_empty = (*Device.never_empty, "audio")
    model = Text("@model")
    multichannel = YesNo("@multichannel")
    streams = Int("@streams")
    codec_types = Texts("codec/@type")
    audio_id = Int("audio/@id")


class AudioInput(Mapped):
    """The `<input>` of an `<audio>`."""

    input_mixing_engine = YesNo("input/@mixingEngine")
    input_fixed_settings = YesNo("input/@fixedSettings")
    input_voices = Int("input/@voices")
    input_buffer_length = Int("input/@bufferLength")
    input_buffer_count = Int("input/@bufferCount")
    input_dev = Text("input/@dev")
    input_name = Text("input/@name")
    input_stream_name = Text("input/@streamName")
    input_latency = Int("input/@latency")
    input_server_name = Text("input/@serverName")
    input_client_name = Text("input/@clientName")
    input_connect_ports = Text("input/@connectPorts")
    input_exact_name = YesNo("input/@exactName")
    input_try_poll = YesNo("input/@tryPoll")
    input_settings_frequency = Int("input/settings/@frequency")
    input_settings_channels = Int("input/settings/@channels")
    input_settings_format = Text("input/settings/@format")


class AudioOutput(Mapped):
    """The `<output>` of an `<audio>`."""

    output_mixing_engine = YesNo("output/@mixingEngine")
    output_fixed_settings = YesNo("output/@fixedSettings")
    output_voices = Int("output/@voices")
    output_buffer_length = Int("output/@bufferLength")
    output_buffer_count = Int("output/@bufferCount")
    output_dev = Text("output/@dev")
    output_name = Text("output/@name")
    output_stream_name = Text("output/@streamName")
    output_latency = Int("output/@latency")
    output_server_name = Text("output/@serverName")
    output_client_name = Text("output/@clientName")
    output_connect_ports = Text("output/@connectPorts")
    output_exact_name = YesNo("output/@exactName")
    output_try_poll = YesNo("output/@tryPoll")
    output_settings_frequency = Int("output/settings/@frequency")
    output_settings_channels = Int("output/settings/@channels")
    output_settings_format = Text("output/settings/@format")


class Audio(AudioInput, AudioOutput, Device):
    """An `<audio>`: a backend on the host."""

    tag = "audio"
    replacements = (
        Replacement(
            fields=("type",),
            takes=(
                "@serverName",
                "@driver",
                "@path",
                "@tryMMap",
                "@exclusive",
                "@dspPolicy",
                "@runtimeDir",
                "input",
                "output",
            ),
        ),
    )
    id = Int("@id")
    type = Text("@type")
    timer_period = Int("@timerPeriod")
    server_name = Text("@serverName")
    driver = Text("@driver")
    path = Text("@path")
    try_mmap = YesNo("@tryMMap")
    exclusive = YesNo("@exclusive")
    dsp_policy = Int("@dspPolicy")
    runtime_dir = Text("@runtimeDir")
