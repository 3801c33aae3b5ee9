"""Commands and the kitchen's verdicts on their way into ordering."""
