"""Who may: tokens that are issued outside are verified here, and no service asks another."""
