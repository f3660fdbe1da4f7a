"""Has anything become grossly slower than it was? CPU times as multiples of floors, beside a committed baseline."""
