"""TVB's arithmetic compiled by numba: whole windows in one call, with tvb-library's bits.

tvb-library itself is unchanged and builds its simulator. The compiled code takes parameters, tracts
and history from there, and does what its loop over ticks would do, operation by operation.
Modules with kernels are imported only after :func:`cosim_core.numba_cache.load_kernels`.
"""
