"""TVB's arithmetic compiled by numba: whole windows in one call, with tvb-library's bits.

Nothing of tvb-library is changed. Its simulator is built as ever; what is compiled takes over its
parameters, tracts and history, and does what its loop over ticks would do, operation by operation.
Modules with kernels are imported only after :func:`cosim_core.numba_cache.load_kernels`.
"""
