"""A plugin of pytest for mutants: the same examples for each, and no small one for what fails."""

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("mutants")
