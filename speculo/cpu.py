"""The CPU that this process runs on: its cores, its name, what it can do."""

import os
import platform
from pathlib import Path

_INFO = Path("/proc/cpuinfo")


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def name() -> str:
    """What its maker calls it, as far as the system tells."""
    return _first("model name") or platform.processor() or platform.machine()


def flags() -> set[str]:
    """Names of the instructions that it knows, such as ``"avx512_bf16"``: on Linux alone."""
    return set(_first("flags").split())


def _first(field: str) -> str:
    """Read a field of the first core from what Linux tells; empty where it is not told."""
    if _INFO.is_file():
        for line in _INFO.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == field:
                return value.strip()
    return ""
