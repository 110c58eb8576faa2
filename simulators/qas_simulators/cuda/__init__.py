"""Many small circuits at once on a GPU; see :func:`qas_simulators.cuda.batch.solve_each`."""
