"""The spiking side: NEST, one process or many MPI ranks, advancing in windows."""
