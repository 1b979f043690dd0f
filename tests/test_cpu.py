import os

import pytest

from speculo import cpu

INFO = """processor\t: 0
model name\t: A Maker's CPU: the second @ 2 GHz
flags\t\t: fpu avx512_bf16

processor\t: 1
model name\t: another
"""


@pytest.fixture
def info(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(cpu, "_INFO", path)
    return path


def test_name_and_flags_are_those_of_the_first_core(info):
    info.write_text(INFO)
    assert cpu.name() == "A Maker's CPU: the second @ 2 GHz"
    assert cpu.flags() == {"fpu", "avx512_bf16"}


def test_where_the_system_does_not_tell_there_is_a_name_and_no_flags(info):
    assert cpu.name() and cpu.flags() == set()


def test_only_cores_that_the_process_may_use_are_counted(monkeypatch):
    assert 1 <= cpu.cores() <= os.cpu_count()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert cpu.cores() == 1
