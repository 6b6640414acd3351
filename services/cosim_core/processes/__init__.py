"""Operating-system processes: started, watched and ended; MPI; agents."""
