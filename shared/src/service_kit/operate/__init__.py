"""What operators do over HTTP, as by the services' commands: below `/v1/operate`."""
