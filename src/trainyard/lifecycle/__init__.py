"""The rules: pure functions over the model. No I/O, no clock: `now` is an argument."""
