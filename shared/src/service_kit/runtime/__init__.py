"""What every process needs: settings, components, logs, traces, a clock."""
