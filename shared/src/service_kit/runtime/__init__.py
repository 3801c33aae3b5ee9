"""For every process: settings, components, logs, traces, a clock."""
