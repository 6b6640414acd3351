"""Functions that numba compiles, or loads from its cache, when this package is imported."""

from tvb_nest_cosim.cosim_core.numba_cache import load_kernels

kernels = load_kernels("tvb_nest_cosim.translator.compiled.kernels")
