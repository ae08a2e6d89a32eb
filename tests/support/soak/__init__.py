"""A soak: a mixed load and random faults on a real service, beside a model that says what must hold all along."""
