"""What the routes share: parameters, responses, cursors, caching, documentation."""
