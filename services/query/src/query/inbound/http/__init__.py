"""Questions over HTTP and their answers, a module for each subject."""
