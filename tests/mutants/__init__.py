"""Which faults in the rules and in the engine the tests would see: `make mutants`.

mutmut breaks one expression of a copy of the project at a time, and runs tests that reach it. A mutant
that no test notices has survived: a test is missing, or the change makes no difference.
"""
