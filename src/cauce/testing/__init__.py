"""Shipped for tests, demo and benchmarks: the synthetic retail world, the simulator, the suites that judge engines."""
