"""GPU use through the driver's library: a small one of our own stands in for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainyard.runtimes.local import nvidia

DRIVER = """
typedef struct { unsigned int gpu, memory; } Rates;
typedef struct { unsigned long long total, free, used; } Memory;
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int n, void **device) {
    *device = (void *)(n + 1UL); return n == 2 ? 15 : 0;
}
int nvmlDeviceGetUtilizationRates(void *device, Rates *rates) { rates->gpu = 40 * (unsigned long)device; return 0; }
int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    memory->total = 80ULL << 30; memory->used = (20ULL << 30) * (unsigned long)device; return 0;
}
"""


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    nvidia._driver.cache_clear()
    yield
    nvidia._driver.cache_clear()


def test_use_is_summed_over_the_gpus_and_a_lost_one_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the driver's stand-in cannot be built")
    library = tmp_path / "libdriver.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-o", library, "-"], input=DRIVER.encode(), check=True)
    monkeypatch.setattr(nvidia, "LIBRARY", str(library))
    assert nvidia.sample() == {"gpu": 120.0, "gpu_memory": 75.0}


def test_without_a_driver_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "LIBRARY", "libno-such-driver.so.1")
    assert nvidia.sample() == {}
