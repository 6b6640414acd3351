"""What is compiled by numba; modules are imported by :func:`cosim_core.kernels.load_kernels`."""
