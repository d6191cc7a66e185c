"""What NVIDIA's driver tells of its GPUs, by its own library through ctypes. Standard library only."""

from __future__ import annotations

import ctypes
from functools import cache

LIBRARY = "libnvidia-ml.so.1"  # comes with the driver: where there is none, there are no GPUs to sample


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def sample() -> dict[str, float]:
    """Utilisation and used memory in percent, summed over the GPUs as CloudWatch does; empty where there are none."""
    library = _driver()
    if library is None:
        return {}
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0 or count.value == 0:
        return {}
    busy = memory = 0.0
    for number in range(count.value):
        device, rates, amount = ctypes.c_void_p(), _Utilization(), _Memory()
        if library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(device)) != 0:
            continue
        if library.nvmlDeviceGetUtilizationRates(device, ctypes.byref(rates)) == 0:
            busy += rates.gpu
        if library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(amount)) == 0 and amount.total:
            memory += 100.0 * amount.used / amount.total
    return {"gpu": busy, "gpu_memory": round(memory, 2)}


@cache
def _driver() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(LIBRARY)
        ready = library.nvmlInit_v2() == 0
    except (OSError, AttributeError):  # no driver, or one too old to answer
        return None
    return library if ready else None
