"""What numba compiles of the translation; compiled, or loaded, when this is imported."""

from cosim_core.kernels import load_kernels

kernels = load_kernels("translator.compiled.kernels")
