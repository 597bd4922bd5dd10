"""The show behind demo/run: it brings things up, plays the acts and tells what happens. Python's standard library only."""
